"""The tasks that a single-stream transformer is pretrained with, before it learns retrieval."""
