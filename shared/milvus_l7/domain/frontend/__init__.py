"""What exposes Milvus: the load balancer, its health, its complaints, its certificates."""
