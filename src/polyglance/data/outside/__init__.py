"""Formats that Pillow does not read, made into such as it does by libraries in a process apart.

Drawings (SVG) can ask for any amount of work and memory, and libraries in C++ or Rust take the
whole process with them when they fail. So each file is converted by a process of its own, which
has limits of time and memory and whose end is nobody else's.
"""
