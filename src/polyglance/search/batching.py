"""Texts of several questions, encoded together.

A batch of texts costs an encoder little more than one of them. What comes while it is busy waits,
and is its next batch. Only where the last batch had company, as when many ask, does a question wait
for more of it, and then for a few thousandths of a second: who asks alone waits for nobody.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Encode = Callable[[Sequence[str], Sequence[str]], Rows]

MOST_TEXTS = 64
LONGEST_WAIT = 0.003  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The texts of one question, and the future that will hold their embeddings."""

    texts: Sequence[str]
    languages: Sequence[str]
    rows: Future[Rows] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class TextBatcher:
    """Encodes texts for several threads at once; each gets what it would have got alone.

    There is no thread of its own: whoever finds the encoder free encodes all that waits, and the
    others find theirs done.

    Args:
        encode: (texts), (a tag each) → (texts, dimension).
        encoding: held while the encoder works, as by all who use it.
        on_batch: told how many texts each batch has.
        most_texts: in a batch; more only where a single question has more.
        longest_wait: for company, in seconds.
    """

    def __init__(
        self,
        encode: Encode,
        *,
        encoding: threading.Lock,
        on_batch: Callable[[int], object] = lambda _texts: None,
        most_texts: int = MOST_TEXTS,
        longest_wait: float = LONGEST_WAIT,
    ) -> None:
        self.most_texts = most_texts
        self.longest_wait = longest_wait
        self._encode = encode
        self._encoding = encoding
        self._on_batch = on_batch
        self._waiting: deque[_Asked] = deque()
        self._arrival = threading.Condition()
        self._had_company = False

    def encode(self, texts: Sequence[str], languages: Sequence[str]) -> Rows:
        """(texts, dimension), unit rows.

        Raises:
            Exception: whatever the encoder raises for these texts, and not for those of others.
        """
        asked = _Asked(texts=texts, languages=languages)
        with self._arrival:
            self._waiting.append(asked)
            self._arrival.notify_all()
        while not asked.rows.done():
            with self._encoding:
                if not asked.rows.done():
                    self._encode_batch(self._next_batch())
        return asked.rows.result()

    def _next_batch(self) -> list[_Asked]:
        """Those that have waited longest; with a lock of its own, so that others can arrive."""
        with self._arrival:
            if self._had_company:
                due = self._waiting[0].since + self.longest_wait
                self._arrival.wait_for(self._is_full, timeout=max(0.0, due - time.monotonic()))
            batch = [self._waiting.popleft()]
            while self._waiting and _texts([*batch, self._waiting[0]]) <= self.most_texts:
                batch.append(self._waiting.popleft())
            self._had_company = len(batch) > 1
            return batch

    def _is_full(self) -> bool:
        return _texts(self._waiting) >= self.most_texts

    def _encode_batch(self, batch: Sequence[_Asked]) -> None:
        self._on_batch(_texts(batch))
        try:
            rows = self._encode(
                [text for asked in batch for text in asked.texts],
                [tag for asked in batch for tag in asked.languages],
            )  # (texts, dimension)
        except Exception as error:
            self._encode_each(batch, error)
        except BaseException as error:  # whoever else waits must not wait for ever
            _fail(batch, error)
        else:
            start = 0
            for asked in batch:
                asked.rows.set_result(rows[start : start + len(asked.texts)])
                start += len(asked.texts)

    def _encode_each(self, batch: Sequence[_Asked], error: Exception) -> None:
        """One by one, so that a text that breaks the encoder breaks no other's question."""
        if len(batch) == 1:
            _fail(batch, error)
            return
        for asked in batch:
            self._encode_batch([asked])


def _texts(questions: Sequence[_Asked] | deque[_Asked]) -> int:
    return sum(len(asked.texts) for asked in questions)


def _fail(batch: Sequence[_Asked], error: BaseException) -> None:
    for asked in batch:
        asked.rows.set_exception(error)
