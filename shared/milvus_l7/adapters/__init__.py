"""The world behind the ports: one module per technology, and the only importers of client libraries."""
