"""Captions through frozen encoders: once, for this run and for later ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def stored_texts(system: nn.Module, folder: Path) -> Iterator[None]:
    """While the block runs, frozen sentence encoders find their vectors in stores.

    Each text is embedded when it is first asked for, so that nothing waits for captions of which a
    short run sees a part. Parts that read through encoders of the same weights share one store.

    Args:
        system: any part of which may have such an encoder, as its ``encoder``.
        folder: of the stores.
    """
    from polyglance.text.sentence_encoder import SentenceEncoder
    from polyglance.text.stored_vectors import StoredVectors

    stores: dict[str, StoredVectors] = {}
    replaced: list[tuple[nn.Module, SentenceEncoder]] = []
    for part in system.modules():
        encoder = getattr(part, "encoder", None)
        if not isinstance(encoder, SentenceEncoder):
            continue
        if encoder.fingerprint not in stores:
            stores[encoder.fingerprint] = StoredVectors(encoder, folder)
        replaced.append((part, encoder))
        part.encoder = stores[encoder.fingerprint]  # type: ignore[assignment]
    try:
        yield
    finally:
        for part, own in replaced:
            part.encoder = own  # type: ignore[assignment]
        for store in stores.values():
            store.write()
