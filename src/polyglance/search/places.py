"""Places of pictures that were indexed without them, from the headers of their files.

So a collection from before there were places gets them, and one that was told to note none and is
now told to; no picture is decoded, and none encoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from polyglance.data.decode import picture_facts, regular_file
from polyglance.data.place import Place
from polyglance.data.tar_members import open_status
from polyglance.errors import PictureError
from polyglance.progress import track
from polyglance.search.collection import FILE_COLUMNS, Collection, File, file_of
from polyglance.search.parallel import batched
from polyglance.search.writer import Writer

FILES_PER_COMMIT = 5000
UNASKED = "moment IS NULL AND NOT located"


def fill_in_places(writer: Writer, *, show_progress: bool = False) -> int:
    """Ask files that were never asked where they were taken; interrupted, it goes on from there.

    Files that are gone, changed or out of reach are left for another run.

    Args:
        writer: of the collection; nothing is asked where it notes no places.
        show_progress: on stderr.

    Returns:
        How many places were found.

    Raises:
        CollectionError: the collection is damaged, or cannot be written to.
    """
    collection = writer.collection
    if not collection.info.places:
        return 0
    rows = collection.batches(FILE_COLUMNS, where=UNASKED)
    files = [file_of(row) for batch in rows for row in batch.to_pylist()]
    found = 0
    with track("places", len(files), show=show_progress and bool(files)) as advance:
        for some in batched(files, FILES_PER_COMMIT):
            places = dict(_places(collection, some))
            writer.locate(places)
            found += sum(place is not None for place in places.values())
            advance(len(some))
    return found


def _places(collection: Collection, files: Iterable[File]) -> Iterator[tuple[str, Place | None]]:
    """Id and place of the files that are as the collection knows them."""
    for file in files:
        try:
            with regular_file(collection.absolute(file.path)) as handle:
                status = open_status(handle)
                if (status.size, status.mtime_ns) != (file.size, file.mtime_ns):
                    continue
                place = picture_facts(handle).place
        except PictureError:
            continue
        yield file.id, place
