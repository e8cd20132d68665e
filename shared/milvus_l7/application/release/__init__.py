"""The Milvus release as the stages see it."""
