"""What the commands work with: the state, Pub/Sub, and requests."""
