"""The engine: leases, outbox, waits and re-polls."""
