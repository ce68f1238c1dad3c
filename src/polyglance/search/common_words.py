"""Words that are in most captions of a collection, which tell its pictures not apart.

*A*, *in*, *ein* or *der* match nearly every caption. BM25 gives them next to no score, but whatever
it lists gets its share in the fused ranking, so that pictures whose captions have *ein* and no
*Hund* would stand before those that vectors alone find. No list of stop words knows the languages
of a collection, nor that in pictures of a kennel *dog* is one; its captions do.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from polyglance.search.text_index import COLUMN

SAMPLE = 1000  # captioned files; a share of one half is then known to about 3 %
MOST = 0.5  # of the files
LEAST = 20  # captioned files; a share of fewer says nothing


class CommonWords:
    """Knows the common words of a table as it is; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = -1
        self._words: frozenset[str] = frozenset()

    def without(self, words: str, table: Any) -> str:
        """Words of a query, between spaces, that are not common; all of them where none is left.

        Args:
            words: of the query.
            table: ``pictures``, that it is looked for in.
        """
        common = self._of(table)
        return " ".join(word for word in words.split() if word not in common) or words

    def _of(self, table: Any) -> frozenset[str]:
        with self._lock:
            version = int(table.version)
            if version != self._version:
                self._words, self._version = common_words(table), version
            return self._words


def common_words(table: Any) -> frozenset[str]:
    """Words that are in the captions of more than half of the files that have any.

    None where few have any.

    Ids are digests of paths: those below a bound are a sample drawn at random, always the same.
    """
    captioned = f"{COLUMN} IS NOT NULL"
    count = int(table.count_rows(captioned))
    if count < LEAST:
        return frozenset()
    if count > SAMPLE:
        captioned += f" AND id < '{(SAMPLE << 64) // count:016x}'"
    rows = table.search().where(captioned).select([COLUMN]).to_arrow()
    files = Counter(word for row in rows[COLUMN].to_pylist() for word in set(row.split()))
    return frozenset(word for word, having in files.items() if having > MOST * len(rows))
