"""The use cases: one per function, and the engine that runs stages."""
