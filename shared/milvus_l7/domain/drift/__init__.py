"""Drift: what differs from what a verified setup needs, and what is repaired."""
