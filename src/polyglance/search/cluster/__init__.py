"""Indexing by many machines: workers that Ray places, their work in files, one writer as ever."""
