"""Implement the commands of `milvus-l7`, one module each."""
