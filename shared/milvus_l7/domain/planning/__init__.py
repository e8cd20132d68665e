"""Plans: what a set-up would do, and what that would cost its users."""
