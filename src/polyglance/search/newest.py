"""Pictures without a question: those that pass filters, in the order in which they were taken."""

from __future__ import annotations

from polyglance.search.collection import Collection, first_of_files
from polyglance.search.filters import EVERYTHING, Filters
from polyglance.search.hit import HIT_COLUMNS, Hit, hit_of
from polyglance.search.lance import reading
from polyglance.search.paging import check_page

BEFORE_ALL = -(2**63)  # seconds; the date of a picture without one


def newest(
    collection: Collection,
    *,
    top: int = 10,
    offset: int = 0,
    filters: Filters = EVERYTHING,
    places: bool = True,
) -> list[Hit]:
    """The ``top`` pictures and videos that were taken last; it needs no model.

    By the EXIF date; those without one come after the others, and equals are in the order of ids,
    so that pages fit together. The dates of all that passes are read for every page.

    Args:
        collection: open for reading.
        top: how many.
        offset: how many are left out before them.
        filters: which of all pictures.
        places: whether hits say where they were taken.

    Raises:
        QueryError: a number is out of range.
        CollectionError: the collection cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    check_page(top, offset)
    with reading(collection.folder):
        search = collection.pictures.search().where(first_of_files(filters.expression()))
        passing = search.select(["id", "taken"]).limit(None).to_arrow()
    taken = pc.fill_null(passing["taken"].cast("int64"), BEFORE_ALL)
    dated = pa.table({"id": passing["id"], "taken": taken})
    order = pc.sort_indices(dated, sort_keys=[("taken", "descending"), ("id", "ascending")])
    ids = passing["id"].take(order[offset : offset + top]).to_pylist()
    rows = collection.rows(ids, HIT_COLUMNS)
    # A writer may have taken one away in between.
    return [hit_of(collection, rows[key], places=places) for key in ids if key in rows]
