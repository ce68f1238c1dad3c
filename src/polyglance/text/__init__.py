"""Text encoders: the pretrained sentence encoder, words under a GRU, transformers."""
