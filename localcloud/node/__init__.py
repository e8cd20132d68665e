"""The node of the embedded cluster: Pods as processes of this machine, Milvus as the real server."""
