"""Text encoders: the pretrained sentence encoder, words under a recurrent unit, transformers."""
