"""Collections of embedded pictures: indexing and querying."""
