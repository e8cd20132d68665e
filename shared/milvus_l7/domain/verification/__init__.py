"""The verification checklist."""
