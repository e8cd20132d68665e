"""Kubernetes objects are written here, and only when they would change."""
