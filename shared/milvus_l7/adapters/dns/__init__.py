"""Public DNS, and Cloud DNS."""
