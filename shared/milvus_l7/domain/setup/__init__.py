"""A setup: the unit of state, its chain of stages, and the steps of its state machine."""
