"""Tar archives as WebDataset has them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from PIL import Image

from support.colours import PALETTE


def picture(colour: str) -> bytes:
    """A picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), PALETTE[colour]).save(file, "JPEG")
    return file.getvalue()


def shard(path: Path, files: dict[str, bytes | str]) -> Path:
    """An archive of these files, in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path
