"""Draw and word what people read; nothing here reads the state."""
