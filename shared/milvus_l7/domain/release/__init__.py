"""The Milvus release: its values, its configuration, its Service, its roll-out."""
