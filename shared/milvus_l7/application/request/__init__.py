"""Requests are accepted, or refused with every problem named."""
