"""``polyglance index``, killed over and over: nothing is lost, nothing is there twice.

    python tests/faults/kill_indexing.py --kills 100 [--model mini] [--pictures 200]

Emoji, or with ``--model colours`` pictures of stripes, are indexed by the real command, which gets
a SIGKILL at random moments and is started again. After each kill the collection must be whole:
every row that was there is there still, none is there twice, ``verify`` finds nothing. A run that
ends is compared with one that nobody disturbed, and the next one begins anew.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.killing import completed, killed
from polyglance.search.collection import Collection, read_info
from polyglance.search.schema import INFO_FILE
from polyglance.search.verification import verify
from support.colours import many_pictures

COLOURS = "colours"
WITH_COLOURS = (sys.executable, str(Path(__file__).with_name("polyglance_with_colours.py")))
POLYGLANCE = (sys.executable, "-m", "polyglance")
# Embeddings of one picture in different batches differ by rounding.
ROUNDING = 1e-4
# So many of the kills come after a first commit; the others while all is being prepared.
HAVE_WRITTEN = 0.8

Rows = dict[str, tuple[str, np.ndarray]]


@dataclass
class Count:
    """What was done.

    Attributes:
        kills: of running processes.
        runs: that ended, and were compared.
        most_rows: that a killed run had left.
    """

    kills: int = 0
    runs: int = 0
    most_rows: int = 0


def kill_indexing(
    folder: Path,
    photos: Path,
    *,
    model: str,
    kills: int,
    longest: float,
    seed: int = 0,
    broken: int = 0,
) -> Count:
    """Kill the command so often, then let it end.

    Args:
        folder: for collections.
        photos: folder to index.
        model: its name; ``colours`` for the one that sees them.
        kills: how many.
        longest: seconds between a beginning and its end.
        seed: of the moments.
        broken: how many of the files cannot be read.

    Raises:
        AssertionError: something was lost, is there twice, or is another than it was.
    """
    chance, count = random.Random(seed), Count()
    whole, torn = folder / "whole", folder / "torn"
    completed(command(photos, whole, model))
    expected = rows_of(whole)
    before: Rows = {}
    while count.kills < kills:
        if killed(
            command(photos, torn, model),
            begun=_Begun(torn, has_written=chance.random() < HAVE_WRITTEN),
            chance=chance,
            longest=longest,
        ):
            count.kills += 1
            before = _check_torn(torn, before)
            count.most_rows = max(count.most_rows, len(before))
        else:
            _check_whole(torn, expected, broken)
            count.runs += 1
            before = {}
            shutil.rmtree(torn)
    told = completed(command(photos, torn, model))
    assert f"{len(before)} unchanged" in told, told
    _check_whole(torn, expected, broken)
    count.runs += 1
    return count


class _Begun:
    """Whether a process has begun to write into a collection, or has written something.

    Args:
        collection: its folder.
        has_written: whether it must have.
    """

    def __init__(self, collection: Path, *, has_written: bool) -> None:
        self.collection = collection
        self.has_written = has_written
        self.before = self._state()

    def __call__(self, process: int) -> bool:
        """Ask of the process with this number."""
        if _holder(self.collection) != f"process {process}":
            return False
        return not self.has_written or self._state() != self.before

    def _state(self) -> set[str]:
        versions = self.collection / "lance" / "pictures.lance" / "_versions"
        return {file.name for file in versions.glob("*.manifest")}


def command(photos: Path, collection: Path, model: str) -> list[str]:
    """The words of a command line that indexes."""
    program = WITH_COLOURS if model == COLOURS else POLYGLANCE
    options = ["--collection", str(collection), "--model", model, "--batch-size", "4"]
    return [*program, "index", str(photos), *options]


def rows_of(collection: Path) -> Rows:
    """Id → content and embedding, of a collection where no id is twice."""
    listed = Collection.open(collection).pictures.to_arrow().to_pylist()
    rows = {row["id"]: (row["content"], np.array(row["embedding"])) for row in listed}
    assert len(rows) == len(listed), "a row is there twice"
    return rows


def _check_torn(collection: Path, before: Rows) -> Rows:
    if not (collection / INFO_FILE).exists():  # it had not come into being
        assert not before
        return {}
    fingerprint = read_info(collection).fingerprint
    verdict = verify(collection, fingerprint_of=lambda _name: fingerprint)
    assert not verdict.problems, verdict
    rows = rows_of(collection)
    _check_kept(before, rows)
    return rows


def _check_whole(collection: Path, expected: Rows, broken: int) -> None:
    rows = _check_torn(collection, {})
    assert rows.keys() == expected.keys()
    _check_kept(expected, rows)
    assert len(Collection.open(collection).skip_reasons()) == broken


def _check_kept(before: Rows, rows: Rows) -> None:
    assert before.keys() <= rows.keys(), "rows were lost"
    for key, (content, embedding) in before.items():
        assert rows[key][0] == content
        np.testing.assert_allclose(rows[key][1], embedding, atol=ROUNDING)


def _holder(collection: Path) -> str:
    try:
        return (collection / "writer.lock").read_text("ascii")
    except OSError:
        return ""


def emoji(folder: Path, count: int) -> Path:
    """Links to the first sample pictures."""
    from polyglance.weights.cache import cache_folder

    images = sorted((cache_folder() / "samples" / "emoji" / "images").iterdir())[:count]
    if len(images) < count:
        raise SystemExit("there are not so many emoji here: polyglance download emoji")
    folder.mkdir()
    for image in images:
        (folder / image.name).symlink_to(image)
    return folder


def main() -> None:
    """Kill, and print how often."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--longest", type=float, default=3.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch) / "photos"
        if given.model == COLOURS:
            many_pictures(photos, given.pictures)
        else:
            emoji(photos, given.pictures)
        count = kill_indexing(
            Path(scratch),
            photos,
            model=given.model,
            kills=given.kills,
            longest=given.longest,
            seed=given.seed,
        )
    print(
        f"{count.kills} kills, {count.runs} runs that ended, each as if nobody had disturbed it; "
        f"a killed run had left up to {count.most_rows} of {given.pictures} pictures"
    )


if __name__ == "__main__":
    main()
