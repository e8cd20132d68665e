"""What the verification looks at."""
