"""The TLS Secrets that a set-up provides its certificate in."""
