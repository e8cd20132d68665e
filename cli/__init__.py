"""The operator's command line, `milvus-l7`: it publishes requests and reads the state, nothing else."""
