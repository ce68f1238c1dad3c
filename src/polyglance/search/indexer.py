"""Bringing a collection up to date with its folder: only what is new or changed is encoded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polyglance.errors import CollectionError
from polyglance.progress import track
from polyglance.search.calibration import keep_calibration
from polyglance.search.embed import Embedded, Familiar, Outcomes, Unreadable, embed_files
from polyglance.search.encoder import Encoder
from polyglance.search.engine import Engine, Threads, Work
from polyglance.search.location import folder_of
from polyglance.search.places import fill_in_places
from polyglance.search.plan import Plan, make_plan
from polyglance.search.scan import Found, Scan, scan
from polyglance.search.schema import Skipped, Stored, picture_id, readable, stored_place
from polyglance.search.writer import Writer, open_for_writing

# A transaction costs some 30 ms, whatever it holds; what is not committed is lost by a kill −9.
ROWS_PER_COMMIT = 512
SECONDS_PER_COMMIT = 5.0
NEVER = -1  # as the time of a file that is to be tried again in any case


@dataclass(slots=True, kw_only=True)
class Summary:
    """What a run has done.

    Attributes:
        indexed: pictures and videos that are new or changed.
        unchanged: those left as they were.
        moved: pictures found again under another path; they were not encoded again.
        removed: pictures whose files are gone.
        skipped: (path, reason) of every file that gives no picture, in this run or before.
        encoded: pictures, and frames of videos, that went through the model.
        seconds: from the first file read to the last row written.
        pictures: in the collection now.
        located: pictures from before whose place was found now.
    """

    indexed: int = 0
    unchanged: int = 0
    moved: int = 0
    removed: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    encoded: int = 0
    seconds: float = 0.0
    pictures: int = 0
    located: int = 0

    @property
    def images_per_second(self) -> float:
        """Through the model, all overhead included; 0 where nothing was encoded."""
        return self.encoded / self.seconds if self.encoded else 0.0


def index(
    source: str | Path,
    collection: str | Path,
    *,
    encoder: Encoder,
    batch_size: int = 16,
    engine: Engine | None = None,
    retry: bool = False,
    places: bool | None = None,
    waiting: AbstractSet[str] = frozenset(),
    show_progress: bool = False,
) -> Summary:
    """Make the collection hold exactly the pictures of a folder or manifest.

    May be interrupted at any time, even by kill −9: what was committed stays (a commit comes every
    few seconds), and the same call goes on from there.

    Args:
        source: a folder, or a manifest (``.jsonl`` or ``.parquet``).
        collection: its folder; made where it does not exist.
        encoder: the model; a collection accepts only the one that it was begun with.
        batch_size: pictures encoded at once.
        engine: who reads, decodes and encodes; by default as many threads as there are cores, a
            batch each.
        retry: try again what could not be read before, though it has not changed.
        places: whether the collection notes where pictures were taken, from now on; without it
            those that it has noted are forgotten. By default what it remembers, at first yes.
        waiting: paths, relative to the folder, of files that are still being written: they are
            left as they are, and come with another run.
        show_progress: on stderr.

    Raises:
        CollectionError: the collection is being written by another process, belongs to another
            model or folder, or would lose every picture because the folder is empty.
        ClusterError: the engine's cluster is out of reach, or its workers keep dying.
        ManifestError: the manifest is malformed.
        ModelError: the model compares pair by pair and has no embeddings to keep.
    """
    encoder.require_embeddings()
    folder = folder_of(collection)
    found = scan(source, exclude=folder)
    with open_for_writing(folder, model=encoder, root=found.root) as writer:
        writer.keep_places(places)
        run = _Run(writer, encoder, found, engine or Threads(), waiting=waiting, retry=retry)
        with track("pictures", len(run.plan.todo), show=show_progress) as advance:
            run.encode(batch_size=batch_size, advance=advance)
        run.forget_vanished()
        run.summary.located = fill_in_places(writer, show_progress=show_progress)
        writer.tidy()
        keep_calibration(
            folder,
            writer.collection,
            lambda texts, languages: encoder.encode_texts(texts, language=languages),
            changed=bool(run.summary.indexed or run.summary.removed),
        )
        return run.finish()


class _Run:
    """One run over one scan: everything that changes while it goes on."""

    def __init__(
        self,
        writer: Writer,
        encoder: Encoder,
        found: Scan,
        engine: Engine,
        *,
        waiting: AbstractSet[str],
        retry: bool,
    ) -> None:
        self.writer = writer
        self.encoder = encoder
        self.scan = found
        self.engine = engine
        self.started = time.monotonic()
        self.known = writer.collection.known()
        self.known_skipped = writer.collection.known_skipped()
        self.plan = self._plan(waiting=waiting, retry=retry)
        self.summary = Summary(unchanged=self.plan.unchanged)
        # Content → an id whose row has its embedding, unless it was overwritten in this run.
        self.familiar = {known.content: key for key, known in self.known.items()}
        self.vanished_contents = Counter(self.known[key].content for key in self.plan.vanished)
        self.copies: list[Familiar] = []
        self.unreadable: list[Unreadable] = []
        self.rows: list[Stored] = []
        self.committed = time.monotonic()

    def encode(self, *, batch_size: int, advance: Callable[[int], None]) -> None:
        """Read, decode and encode what is new or changed, and commit as it comes."""
        work = Work(
            files=self.plan.todo,
            root=self.scan.root,
            encoder=self.encoder,
            familiar=self.familiar.keys(),
            batch_size=batch_size,
            places=self.writer.collection.info.places,
            collection=self.writer.folder,
        )
        results = self.engine.outcomes(work)
        try:
            for result in results:
                self._take(result)
                if self._commit_is_due():
                    self._commit()
                advance(len(result))
        finally:  # Ctrl-C loses no more than the batches that are under way
            results.close()
            self._commit()

    def forget_vanished(self) -> None:
        """Drop the rows of files that are gone; those that moved are in under their new path."""
        self.writer.remove_pictures(self.plan.vanished)
        self.writer.remove_skipped(self.plan.vanished_unreadable)
        self.summary.removed = len(self.plan.vanished) - self.summary.moved

    def finish(self) -> Summary:
        """Complete the summary."""
        collection = self.writer.collection
        skipped = collection.skip_reasons()
        skipped += [(readable(path), reason) for path, reason in self.scan.problems]
        self.summary.skipped = sorted(skipped)
        self.summary.seconds = time.monotonic() - self.started
        self.summary.pictures = collection.files()
        return self.summary

    def _plan(self, *, waiting: AbstractSet[str], retry: bool) -> Plan:
        collection = self.writer.collection
        if self.known and not self.scan.pictures:
            raise CollectionError(
                f"{self.scan.root}: no picture there, but {collection.folder} knows "
                f"{len(self.known)} of it. Is a disk missing? If they are really gone, delete "
                f"the collection's folder"
            )
        unreachable = self.scan.unreachable
        return make_plan(
            self.scan,
            known=self.known,
            known_skipped=self.known_skipped,
            kept=collection.ids_at(unreachable) if unreachable else set(),
            waiting=waiting,
            retry=retry,
        )

    def _take(self, outcomes: Outcomes) -> None:
        for each in outcomes:
            if isinstance(each, Embedded):
                self.rows += _stored(each, places=self.writer.collection.info.places)
                self.summary.indexed += 1
                self.summary.encoded += len(each.embeddings)
            elif isinstance(each, Familiar):
                self.copies.append(each)
            else:
                self.unreadable.append(each)

    def _commit_is_due(self) -> bool:
        waiting = len(self.rows) + len(self.copies) + len(self.unreadable)
        late = time.monotonic() - self.committed > SECONDS_PER_COMMIT
        return waiting >= ROWS_PER_COMMIT or (late and waiting > 0)

    def _commit(self) -> None:
        copies, self.copies = self._copied_rows(), []
        rows = self.rows + copies
        self.writer.upsert(rows)
        ids = {picture_id(row.path) for row in rows}
        self.writer.remove_skipped(ids & self.known_skipped.keys())
        self.familiar.update({row.content: picture_id(row.path) for row in rows})
        self.writer.skip([_skipped(each) for each in self.unreadable])
        broken = {picture_id(each.file.path) for each in self.unreadable if each.for_good}
        self.writer.remove_pictures(broken & self.known.keys())
        self.rows, self.unreadable = [], []
        self.committed = time.monotonic()
        self.engine.committed()

    def _copied_rows(self) -> list[Stored]:
        """Rows for files with a familiar content: the same embedding under another path."""
        collection = self.writer.collection
        originals = collection.rows_of_files(self.familiar[each.content] for each in self.copies)
        rows: list[Stored] = []
        for each in self.copies:
            original = originals.get(self.familiar[each.content])
            if original is None or original[0]["content"] != each.content:
                # The file that had this content got another in this very run, as in a swap.
                self._take(self._embed_anew(each.file))
            else:
                self._count_copy(each)
                rows += _copy(each, original)
        return rows

    def _embed_anew(self, file: Found) -> Outcomes:
        return embed_files(
            [file], encoder=self.encoder, root=self.scan.root, is_familiar=lambda _content: False
        )

    def _count_copy(self, each: Familiar) -> None:
        before = self.known.get(picture_id(each.file.path))
        if before is not None and before.content == each.content:
            self.summary.unchanged += 1  # only its time or its captions have changed
        elif self.vanished_contents[each.content] > 0:
            self.vanished_contents[each.content] -= 1
            self.summary.moved += 1
        else:
            self.summary.indexed += 1


def _stored(each: Embedded, *, places: bool) -> list[Stored]:
    """The rows of a file: one of a picture, of a video as many as it has frames."""
    return [
        Stored(
            path=each.file.path,
            content=each.content,
            size=each.file.size,
            mtime_ns=each.file.mtime_ns,
            width=each.width,
            height=each.height,
            taken=each.taken,
            captions=each.file.captions,
            embedding=embedding,
            moment=each.moments[frame] if each.moments else None,
            frame=frame,
            place=each.place if places else None,
            located=places,
        )
        for frame, embedding in enumerate(each.embeddings)
    ]


def _copy(each: Familiar, originals: Sequence[dict[str, Any]]) -> list[Stored]:
    return [
        Stored(
            path=each.file.path,
            content=each.content,
            size=each.file.size,
            mtime_ns=each.file.mtime_ns,
            width=original["width"],
            height=original["height"],
            taken=original["taken"],
            captions=each.file.captions,
            embedding=np.asarray(original["embedding"], dtype=np.float32),
            moment=original["moment"],
            frame=frame,
            place=stored_place(original),
            located=original["located"],
        )
        for frame, original in enumerate(originals)
    ]


def _skipped(each: Unreadable) -> Skipped:
    file = each.file
    mtime_ns = file.mtime_ns if each.for_good else NEVER
    return Skipped(path=file.path, size=file.size, mtime_ns=mtime_ns, reason=each.reason)
