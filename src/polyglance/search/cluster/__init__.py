"""Indexing by many machines: workers that Ray places, finished work in files, one writer as ever."""
