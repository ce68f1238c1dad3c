"""The full-text index over the words of captions, which LanceDB keeps and asks.

It is made with the table, empty, and so is there from the beginning: rows that came since it was
last refreshed, by the table's ``optimize()``, are found by reading each, and a run that was
interrupted needs no repair. A row that was changed or taken out is found no more at once.
"""

from __future__ import annotations

from typing import Any

COLUMN = "words"
_NAME = "words_of_captions"


def build_text_index(table: Any) -> None:
    """Make the index, over an empty or a filled table; what is there of one is replaced.

    Words are kept as :mod:`polyglance.search.caption_words` makes them: nothing is cut, folded,
    stemmed or left out by the index.
    """
    from lancedb.index import FTS

    config = FTS(
        base_tokenizer="whitespace",
        max_token_length=None,
        lower_case=False,
        stem=False,
        remove_stop_words=False,
        ascii_folding=False,
    )
    table.create_index(COLUMN, config=config, name=_NAME, replace=True)


def has_text_index(table: Any) -> bool:
    """Whether the index is there."""
    return text_index(table) is not None


def text_index(table: Any) -> Any:
    """What LanceDB tells of the index; ``None`` where it is not there."""
    return next((index for index in table.list_indices() if index.name == _NAME), None)


def has_captions(table: Any) -> bool:
    """Whether any picture has words that could be looked for."""
    return len(table.search().where(f"{COLUMN} IS NOT NULL").select(["id"]).limit(1).to_arrow()) > 0


def files_by_words(table: Any, words: str, *, top: int, where: str | None = None) -> list[str]:
    """Ids of the files whose captions match best, best first by BM25; ties by id.

    Args:
        table: ``pictures``.
        words: between spaces; any of them may be in a caption.
        top: how many files.
        where: LanceDB expression; only rows that it holds for are looked at.
    """
    if not words:
        return []
    search = table.search(words, query_type="fts", fts_columns=COLUMN)
    if where is not None:
        search = search.where(where, prefilter=True)
    found = search.select(["id", "_score"]).limit(top).to_arrow().to_pylist()
    return [row["id"] for row in sorted(found, key=lambda row: (-row["_score"], row["id"]))]
