"""How an image and a text are compared."""
