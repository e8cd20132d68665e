"""How a request changes an object: server-side apply with its field managers, and the other patches."""
