"""One loss a file, pure in scores or embeddings."""
