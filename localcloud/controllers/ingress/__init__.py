"""The GKE Ingress controller: from an Ingress and its Services to NEGs, probes and the load balancer."""
