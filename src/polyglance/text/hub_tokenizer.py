"""A tokenizer of transformers as its model was trained with it, padding and case included."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from polyglance.errors import ModelError
from polyglance.text.cleaning import Cleaning, clean
from polyglance.text.hub import cannot_load

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase


VOCABULARIES = (
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "tokenizer.model",
    "sentencepiece.bpe.model",
)


class HubTokenizer:
    """Strings to ids, cut and padded as the model's own code does it.

    Where :class:`~polyglance.text.tokenizer.Tokenizer` takes over the rules of a fast tokenizer,
    this one leaves the tokenizer as it is: SigLIP's strips punctuation in Python, SigLIP 2's pads
    on the side that it was saved with. Names of special tokens inside a text are plain text.

    Args:
        tokenizer: of transformers.
        max_length: tokens of a text, with those around it; the rest is not read.
        pads_fully: to ``max_length``, not to the longest text of a batch.
        has_mask: whether the model is told which tokens are padding.
        cleaning: what is done to a text before; see :func:`~polyglance.text.cleaning.clean`.

    Attributes:
        max_length: as given; so are all that follow.
        pads_fully: see above.
        has_mask: see above.
        cleaning: see above.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_length: int,
        pads_fully: bool,
        has_mask: bool,
        cleaning: Cleaning = "nothing",
    ) -> None:
        self.max_length = max_length
        self.pads_fully = pads_fully
        self.has_mask = has_mask
        self.cleaning = cleaning
        self._tokenizer = tokenizer
        self._lock = Lock()  # cutting and padding are states of the tokenizer, which threads share

    def __len__(self) -> int:
        """Size of the vocabulary."""
        return len(self._tokenizer)

    def encode(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """``input_ids`` and perhaps ``attention_mask``, int64 (texts, length)."""
        with self._lock:
            encoded = self._tokenizer(
                [clean(text, self.cleaning) for text in texts],
                padding="max_length" if self.pads_fully else "longest",
                truncation=True,
                max_length=self.max_length,
                split_special_tokens=True,
                return_attention_mask=self.has_mask,
                return_tensors="pt",
            )
        names = ("input_ids", "attention_mask") if self.has_mask else ("input_ids",)
        return {name: encoded[name] for name in names}

    def save(self, folder: Path) -> None:
        """Its own files, for :func:`load_hub_tokenizer`."""
        self._tokenizer.save_pretrained(folder)

    @property
    def padding(self) -> tuple[int, Literal["left", "right"]]:
        """The id that texts are padded with, and the side."""
        left = self._tokenizer.padding_side == "left"
        return int(self._tokenizer.pad_token_id), "left" if left else "right"

    def save_fast(self, path: Path) -> None:
        """As the file ``tokenizer.json`` of the tokenizers library, which does without Python.

        Raises:
            ModelError: its rules are Python.
        """
        if not getattr(self._tokenizer, "is_fast", False):
            raise ModelError(
                f"{type(self._tokenizer).__name__} cannot run without transformers; a model with a "
                "fast tokenizer is needed"
            )
        self._tokenizer.backend_tokenizer.save(str(path))


def load_hub_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a model's folder; none that brings code of its own.

    Raises:
        ModelError: there is none, or a library that it needs is missing.
    """
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in VOCABULARIES):
        # The library would make an empty one, and every text would be unknown tokens.
        raise ModelError(
            f"no tokenizer at {str(folder)!r}: it has none of {', '.join(VOCABULARIES)}; put the "
            "model's own tokenizer there"
        )
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise cannot_load("tokenizer", folder, error, local_files_only=True) from None
    return tokenizer
