"""Domains are looked up, and published where the request allows it."""
