"""Read the state, publish to Pub/Sub, and read and write requests."""
