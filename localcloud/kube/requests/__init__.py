"""What clients send and are told: decoding of requests, selectors, discovery, and the Table form."""
