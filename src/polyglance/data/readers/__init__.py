"""Readers of published formats, all yielding the records that a manifest holds.

To add one: a module with a function of type `Reader`, a line in `READERS`, and a test against a
tiny file in the published format.
"""

from __future__ import annotations

from polyglance.data.readers.caption_lines import read_caption_lines
from polyglance.data.readers.coco import read_coco
from polyglance.data.readers.crossmodal3600 import read_crossmodal3600
from polyglance.data.readers.folder import read_folder
from polyglance.data.readers.karpathy import read_karpathy
from polyglance.data.readers.multi30k import read_multi30k
from polyglance.data.readers.options import Reader, ReaderOptions
from polyglance.data.readers.vatex import read_vatex
from polyglance.data.readers.webdataset import read_webdataset
from polyglance.data.readers.xtd10 import read_xtd10

__all__ = ["READERS", "Reader", "ReaderOptions"]

READERS: dict[str, Reader] = {
    "caption-lines": read_caption_lines,
    "coco": read_coco,
    "crossmodal3600": read_crossmodal3600,
    "folder": read_folder,
    "karpathy": read_karpathy,
    "multi30k": read_multi30k,
    "vatex": read_vatex,
    "webdataset": read_webdataset,
    "xtd10": read_xtd10,
}
