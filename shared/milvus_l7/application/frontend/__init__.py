"""What exposes Milvus, as the stages see it."""
