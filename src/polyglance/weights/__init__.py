"""Pretrained weights and sample pictures: what there is, where it is kept, how it is fetched."""
