"""The load balancers of the embedded cloud: one real Envoy, configured through files."""
