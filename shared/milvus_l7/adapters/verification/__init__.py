"""A client of the load balancer."""
