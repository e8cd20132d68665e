"""Publish requests and read the state: the operator's command line, `milvus-l7`."""
