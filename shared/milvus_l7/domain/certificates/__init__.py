"""Certificates: issued by milvus-l7, or by Google."""
