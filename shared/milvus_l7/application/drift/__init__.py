"""Setups are checked for drift."""
