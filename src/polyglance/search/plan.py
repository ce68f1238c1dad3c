"""What is to be done: the files that were found, compared with what the collection knows."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from polyglance.search.collection import Known
from polyglance.search.scan import Found, Scan
from polyglance.search.schema import captions_json, picture_id


@dataclass(slots=True, kw_only=True)
class Plan:
    """The work of one run.

    Attributes:
        todo: new and changed files, in the order of the scan.
        unchanged: how many pictures are as the collection knows them.
        still_unreadable: ids of the files that could not be read and have not changed since.
        vanished: ids of the pictures whose files are gone.
        vanished_unreadable: ids of the unreadable files that are gone.
    """

    todo: list[Found] = field(default_factory=list)
    unchanged: int = 0
    still_unreadable: set[str] = field(default_factory=set)
    vanished: set[str] = field(default_factory=set)
    vanished_unreadable: set[str] = field(default_factory=set)


def make_plan(
    scan: Scan,
    *,
    known: Mapping[str, Known],
    known_skipped: Mapping[str, Known],
    kept: set[str],
    waiting: AbstractSet[str] = frozenset(),
    retry: bool = False,
) -> Plan:
    """Compare by size and modification time; contents are read only where these differ.

    Args:
        scan: what is there.
        known: pictures of the collection, by id.
        known_skipped: its unreadable files, by id.
        kept: ids that may be there still, out of reach.
        waiting: paths of files that are still being written; they are left as they are known.
        retry: try files again that could not be read, though they have not changed.
    """
    plan = Plan()
    found: set[str] = set()
    for file in scan.pictures:
        key = picture_id(file.path)
        found.add(key)
        if file.path in waiting:
            continue
        if _same(file, known.get(key)):
            plan.unchanged += 1
        elif not retry and _same_stat(file, known_skipped.get(key)):
            plan.still_unreadable.add(key)
        else:
            plan.todo.append(file)
    plan.vanished = known.keys() - found - kept
    plan.vanished_unreadable = known_skipped.keys() - found - kept
    return plan


def _same(file: Found, known: Known | None) -> bool:
    return (
        known is not None
        and _same_stat(file, known)
        and captions_json(file.captions) == known.captions
    )


def _same_stat(file: Found, known: Known | None) -> bool:
    return known is not None and (file.size, file.mtime_ns) == (known.size, known.mtime_ns)
