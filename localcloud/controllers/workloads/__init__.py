"""Workloads and their addresses: Deployments, the kubelet, Services of type LoadBalancer, ready endpoints."""
