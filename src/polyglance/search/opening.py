"""Opening a collection with its model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from polyglance.search.collection import Collection, read_info
from polyglance.search.encoder import load_encoder
from polyglance.search.location import location_of
from polyglance.search.searcher import Searcher


def open_searcher(
    collection: str | Path, model: str | None = None, *, pictures: bool = True
) -> Searcher:
    """Open a collection with the model that it names, or with that one's export.

    Args:
        collection: its place.
        model: of the export.
        pictures: as for :func:`~polyglance.search.encoder.load_encoder`.

    Raises:
        CollectionError: it cannot be read, or was filled by another model.
        ModelError: the model is not here, or is damaged.
        WeightsError: a pretrained tower that it needs has not been fetched yet.
    """
    name = model or read_info(location_of(collection)).model
    with ThreadPoolExecutor(1) as beside:  # importing LanceDB takes as long as opening a model
        encoder = beside.submit(load_encoder, name, pictures=pictures)
        opened = Collection.open(collection)
    return Searcher(opened, encoder.result())
