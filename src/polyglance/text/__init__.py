"""Text encoders: the pretrained sentence encoder, word vectors with GRUs, transformers."""
