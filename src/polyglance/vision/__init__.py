"""Image encoders: preprocessing, backbones and the heads over their grids."""
