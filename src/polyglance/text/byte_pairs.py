"""How a vocabulary of byte pairs is learned from texts.

Texts are folded (NFKC: full-width digits, ligatures) and, unless told otherwise, brought to lower
case. White space separates, a punctuation mark and an emoji stand alone; in scripts that are
written without spaces, byte pairs find longer units by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from polyglance.text.segment import EMOJI, END, PAD, START
from polyglance.text.vocabulary import UNKNOWN

MASK = "<mask>"  # stands for a word to be guessed; only where a model learns by guessing
SPECIAL = (PAD, UNKNOWN, START, END)
BYTES = 256


def byte_pairs(
    texts: Iterator[str],
    *,
    vocabulary_size: int,
    min_frequency: int,
    special: Sequence[str],
    lowercase: bool,
) -> Tokenizer:
    """Byte-pair encoding (Sennrich et al. 2016) over UTF-8 bytes: nothing is ever unknown."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = _folding(lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(EMOJI), "isolated"),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=min_frequency,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _surrounded(tokenizer)


def _folding(lowercase: bool) -> normalizers.Normalizer:
    steps: list[normalizers.Normalizer] = [normalizers.NFKC()]
    if lowercase:
        steps.append(normalizers.Lowercase())
    return normalizers.Sequence(steps)


def _surrounded(tokenizer: Tokenizer) -> Tokenizer:
    """Put ``<start>`` and ``<end>`` around every text, and pad with ``<pad>``."""
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (START, END)],
    )
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id(PAD), pad_token=PAD)
    return tokenizer
