"""Videos of coloured scenes, written by the test that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from support.colours import PALETTE

RATE = 10
"""Frames a second."""


def clip(
    path: Path,
    *scenes: Sequence[str] | str,
    seconds: float = 1.0,
    size: tuple[int, int] = (48, 32),
    codec: str = "mpeg4",
    gop: int = 12,
    rate: int = RATE,
    aspect: tuple[int, int] = (1, 1),
    first: int = 0,
) -> Path:
    """Write a video of scenes, one after the other.

    Args:
        path: its suffix decides the container.
        scenes: each a colour, or colours that stand beside one another as stripes.
        seconds: that each scene lasts.
        size: width and height in pixels.
        codec: of FFmpeg's.
        gop: how many frames from one to the next.
        rate: frames a second.
        aspect: of a pixel.
        first: number of the first frame; others than 0 start late.
    """
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
        number = first
        for scene in scenes:
            colours = [scene] if isinstance(scene, str) else scene
            stripes = np.array([PALETTE[colour] for colour in colours], np.uint8)
            columns = np.repeat(stripes, -(-size[0] // len(stripes)), axis=0)[: size[0]]
            pixels = np.ascontiguousarray(np.broadcast_to(columns, (size[1], size[0], 3)))
            for _ in range(round(rate * seconds)):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, number = number, number + 1
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def colour_of(picture: object) -> str:
    """The colour of the palette that is nearest to the middle of a picture."""
    pixels = np.asarray(picture)
    middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].astype(int)
    return min(PALETTE, key=lambda name: int(((np.array(PALETTE[name]) - middle) ** 2).sum()))
