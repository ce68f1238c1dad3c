"""Who takes planned files to their embeddings: threads of this process, unless told otherwise."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from polyglance.search.embed import Outcomes, embed_files
from polyglance.search.encoder import Encoder
from polyglance.search.parallel import batched, in_order
from polyglance.search.scan import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be embedded in a run.

    Attributes:
        files: new and changed ones, in the order of the scan.
        root: absolute folder that their paths are relative to.
        encoder: the model.
        familiar: contents that have an embedding already; more and more, as the run commits.
        batch_size: files encoded at once.
        places: whether the collection notes where pictures were taken.
        collection: folder that the embeddings are for.
    """

    files: Sequence[Found]
    root: Path
    encoder: Encoder
    familiar: AbstractSet[str]
    batch_size: int
    places: bool
    collection: Path


class Engine(Protocol):
    """Takes files to their embeddings; what comes of them is the indexer's to write."""

    def outcomes(self, work: Work) -> Generator[Outcomes]:
        """Every file of the work once, some at a time, in any order; may be closed early."""

    def committed(self) -> None:
        """Hear that all that was yielded so far is safe in the collection."""


class Threads:
    """Several threads that each take a batch; see :mod:`polyglance.search.parallel`.

    Args:
        workers: how many; by default as many as cores.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers

    def outcomes(self, work: Work) -> Generator[Outcomes]:
        """In the order of the files."""

        def embed(files: Sequence[Found]) -> Outcomes:
            return embed_files(
                files,
                encoder=work.encoder,
                root=work.root,
                is_familiar=work.familiar.__contains__,
            )

        return in_order(embed, batched(work.files, work.batch_size), workers=self.workers)

    def committed(self) -> None:
        """Nothing was kept that could be dropped now."""
