"""Kubernetes objects as JSON: differences, field ownership, manifests."""
