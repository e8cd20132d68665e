"""What objects look like: OpenAPI schemas, defaults, and what makes an object valid."""
