"""Storage of embedded photos: an index folder on this machine, or a collection on a Milvus server."""
