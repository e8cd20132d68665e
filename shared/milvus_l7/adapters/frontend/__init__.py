"""What exposes Milvus: a GKE Ingress."""
