"""Texts to numbered tokens, by a tokenizer trained here or taken from a pretrained model."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Tokenizer as Backend
from torch import Tensor

from polyglance.data.language import primary_language
from polyglance.data.text import normalise_text
from polyglance.errors import ModelError
from polyglance.text.byte_pairs import BYTES, MASK, SPECIAL, byte_pairs
from polyglance.text.hub import cannot_load
from polyglance.text.segment import word_spans

FILE_NAME = "tokenizer.json"
UNREADABLE = "\ufffd"  # what bytes that are no character are read as
MASKS = (MASK, "[MASK]")  # ours and XLM-R's, and BERT's


class Pieces(NamedTuple):
    """The tokens of a text without those around it.

    Attributes:
        ids: of each.
        words: the number, from 0 and never falling, of the word that each is a part of.
    """

    ids: list[int]
    words: list[int]


class Tokenizer:
    """Strings in, padded ids and a mask out.

    Every text is brought to NFC first. ``<start>`` and ``<end>`` stand around it (or whatever a
    pretrained tokenizer puts there), so that an empty text still has tokens; a text that is too
    long loses words from its end and keeps ``<end>``. Names of special tokens inside a text are
    plain text.

    Args:
        backend: of the ``tokenizers`` library, with its padding set; taken over.

    Raises:
        ValueError: ``backend`` does not say how it pads, and so not which id pads.
    """

    def __init__(self, backend: Backend) -> None:
        if not backend.padding:
            raise ValueError("the tokenizer does not say which id pads; call enable_padding first")
        # Cutting and padding are done here and never set on the backend, which threads share.
        self._padding = json.loads(backend.to_str())["padding"]
        self.pad_id: int = backend.padding["pad_id"]
        backend.no_padding()
        backend.no_truncation()
        backend.encode_special_tokens = True  # a text may say "<end>" and mean it
        self._backend = backend
        self._language_ids = {
            token.content.removeprefix("<language:").removesuffix(">"): number
            for number, token in backend.get_added_tokens_decoder().items()
            if token.content.startswith("<language:")
        }

    def __len__(self) -> int:
        """Size of the vocabulary."""
        return int(self._backend.get_vocab_size())

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 over everything that decides which ids a text becomes."""
        return hashlib.sha256(self._description().encode()).hexdigest()

    @property
    def vocabulary(self) -> dict[str, int]:
        """Token → id."""
        return dict(self._backend.get_vocab())

    def pieces(self, text: str) -> list[str]:
        """The tokens of one text, whole, without those that stand around it."""
        return list(self._backend.encode(_readable(text), add_special_tokens=False).tokens)

    @cached_property
    def around(self) -> tuple[int, int]:
        """Ids of the tokens that stand before and behind a text.

        Raises:
            ModelError: a pretrained tokenizer puts more or fewer there.
        """
        encoding = self._backend.post_process(self._backend.encode("", add_special_tokens=False))
        if len(encoding.ids) != 2:
            raise ModelError(
                f"the tokenizer puts {' '.join(encoding.tokens) or 'nothing'} around a text; one "
                "token before and one behind it are needed, such as BERT's and XLM-R's put there"
            )
        return encoding.ids[0], encoding.ids[1]

    @cached_property
    def mask_id(self) -> int:
        """Id of the token that hides a word.

        Raises:
            ModelError: there is none.
        """
        found = [self._backend.token_to_id(token) for token in MASKS]
        special = set(self.special_ids)
        for number in found:
            if number in special:
                return int(number)
        raise ModelError(
            f"the tokenizer has no token that hides words ({' or '.join(MASKS)}); take one of a "
            "masked language model, or train one with it"
        )

    @property
    def special_ids(self) -> list[int]:
        """Ids that no text gives: padding, what stands around texts, the mask, languages."""
        added = self._backend.get_added_tokens_decoder()
        return sorted(number for number, token in added.items() if token.special)

    def texts(self) -> list[str]:
        """What each id stands for where that is a word or begins one.

        Empty for special tokens, for pieces that hold only a part of a character, and for those
        that only go on with a word and mean nothing alone.
        """
        special = set(self.special_ids)
        said = [self._backend.decode([number]) for number in range(len(self))]
        return [
            "" if number in special or UNREADABLE in text or _continues(text) else text.strip()
            for number, text in enumerate(said)
        ]

    def encode_words(self, texts: Sequence[str]) -> list[Pieces]:
        """The tokens of each text and the words that they are parts of, of any length.

        Words are those of :mod:`polyglance.text.segment`: scripts without spaces go by character,
        whatever the tokenizer makes of them. A token that reaches over several is of the last.
        """
        readable = [_readable(text) for text in texts]
        encodings = self._backend.encode_batch(readable, add_special_tokens=False)
        found = []
        for text, encoding in zip(readable, encodings, strict=True):
            ends = [end for _, end in word_spans(text)]
            last = max(len(ends) - 1, 0)
            words = [min(bisect_right(ends, end - 1), last) for _, end in encoding.offsets]
            found.append(Pieces(encoding.ids, words))
        return found

    def encode_batch(
        self,
        texts: Sequence[str],
        languages: Sequence[str] | None = None,
        *,
        max_length: int = 64,
    ) -> tuple[Tensor, Tensor]:
        """Encode texts together, padded to the longest of them.

        Args:
            texts: any strings.
            languages: one BCP-47 tag a text; used only by a tokenizer that was trained with
                languages, which then puts the tag's token second.
            max_length: tokens at most, with those around the text.

        Returns:
            ids, int64 (texts, length), and mask, bool (texts, length): true where a token is.

        Raises:
            ValueError: there is no room for a word, or not one language a text.
        """
        tags = self._tags(languages, texts=len(texts))
        around = self._backend.num_special_tokens_to_add(False) + bool(tags)
        if max_length <= around:
            raise ValueError(f"max_length {max_length} leaves no room beside {around} tokens")
        encodings = self._backend.encode_batch(
            [_readable(text) for text in texts], add_special_tokens=False
        )
        rows = []
        for encoding in encodings:
            encoding.truncate(max_length - around)
            rows.append(self._backend.post_process(encoding).ids)
        if tags:
            rows = [[row[0], tag, *row[1:]] for row, tag in zip(rows, tags, strict=True)]
        return self._pad(rows)

    def save(self, path: Path) -> None:
        """Write one JSON file, in the format of the ``tokenizers`` library."""
        path.write_text(self._description(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read what :meth:`save` wrote.

        Raises:
            ModelError: the file is absent, or is no tokenizer.
        """
        try:
            return cls(Backend.from_str(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise ModelError(f"{path} is missing; copy the checkpoint's folder whole") from None
        except Exception as error:  # the library raises bare Exceptions
            raise ModelError(
                f"{path} is not a tokenizer ({error}); restore the checkpoint that it came with"
            ) from None

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        vocabulary_size: int = 16_000,
        min_frequency: int = 2,
        lowercase: bool = True,
        languages: Sequence[str] = (),
        mask: bool = False,
    ) -> Tokenizer:
        """Learn byte pairs; the same texts, in any order, give the same tokenizer.

        See :mod:`polyglance.text.byte_pairs`.

        Args:
            texts: of the training split only.
            vocabulary_size: at most, special tokens included.
            min_frequency: occurrences that a merge must have.
            lowercase: fold case.
            languages: tags that get a token of their own by their primary subtag, so ``no`` and
                ``no-x-engine`` share one; all others share another. Without any, texts carry no
                language.
            mask: have a token that hides words, ``<mask>``.

        Raises:
            ValueError: the vocabulary is too small for its special tokens and the bytes.
        """
        primaries = sorted({primary_language(tag) for tag in languages} - {"und"})
        tags = ["und", *primaries] if primaries else []
        special = [*SPECIAL, *([MASK] if mask else []), *(f"<language:{tag}>" for tag in tags)]
        taken = len(special) + BYTES
        if vocabulary_size <= taken:
            raise ValueError(
                f"vocabulary_size {vocabulary_size} leaves no room beside {taken} special tokens "
                "and bytes"
            )
        backend = byte_pairs(
            (_readable(text) for text in texts),
            vocabulary_size=vocabulary_size,
            min_frequency=min_frequency,
            special=special,
            lowercase=lowercase,
        )
        return cls(backend)

    @classmethod
    def from_pretrained(cls, name: str | Path, *, local_files_only: bool = True) -> Tokenizer:
        """Take a pretrained model's own tokenizer.

        Args:
            name: a local folder or a hub name.
            local_files_only: do not use the network.

        Raises:
            ModelError: it is not there, or it has no fast version, or it cannot pad.
        """
        from transformers import AutoTokenizer

        try:
            loaded = AutoTokenizer.from_pretrained(
                str(name), local_files_only=local_files_only, trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            raise cannot_load("tokenizer", name, error, local_files_only=local_files_only) from None
        backend = getattr(loaded, "backend_tokenizer", None)
        if backend is None or loaded.pad_token_id is None:
            raise ModelError(
                f"the tokenizer at {str(name)!r} has no fast version, or no padding token; "
                "save it anew with both (tokenizer.json, pad_token)"
            )
        backend = Backend.from_str(backend.to_str())  # a copy, since we change it
        backend.enable_padding(pad_id=loaded.pad_token_id, pad_token=loaded.pad_token)
        return cls(backend)

    def _tags(self, languages: Sequence[str] | None, *, texts: int) -> list[int]:
        """The id of each language's token; none where the tokenizer has no languages."""
        if languages is None:
            return []
        if len(languages) != texts:
            raise ValueError(f"{texts} texts but {len(languages)} languages")
        if not self._language_ids:
            return []
        other = self._language_ids["und"]
        return [self._language_ids.get(primary_language(tag), other) for tag in languages]

    def _pad(self, rows: list[list[int]]) -> tuple[Tensor, Tensor]:
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)  # (texts,)
        longest = max(map(len, rows), default=0)
        padded = [row + [self.pad_id] * (longest - len(row)) for row in rows]
        ids = torch.tensor(padded, dtype=torch.int64).reshape(len(rows), longest)
        return ids, torch.arange(longest) < lengths[:, None]  # (texts, longest) each

    def _description(self) -> str:
        described = json.loads(self._backend.to_str())
        described["padding"] = self._padding
        return json.dumps(described, ensure_ascii=False, sort_keys=True)


def _continues(piece: str) -> bool:
    """Whether a piece of text, right behind a letter, is of the same word."""
    return len(word_spans(f"a{piece}")) == 1


def _readable(text: str) -> str:
    """NFC, and question marks for the lone surrogates that UTF-8 cannot hold."""
    return normalise_text(text.encode("utf-8", "replace").decode("utf-8"))
