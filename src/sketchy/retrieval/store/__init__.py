"""Where embedded photos are kept: an index folder on this machine, or a Milvus server."""
