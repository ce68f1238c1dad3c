"""Where words begin and end, and how a vocabulary is learned from texts.

Segmentation, after Unicode compatibility folding (NFKC: full-width digits, ligatures) and, unless
told otherwise, lower case:

- white space separates; a punctuation mark stands alone (``l'homme`` → ``l ' homme``);
- Han, kana, Thai, Lao, Khmer and Burmese, which are written without spaces, go by character, with
  the marks that belong to it (words only; byte pairs find longer units in them by themselves);
- an emoji stands alone, whole with its skin tone and its zero-width joiners; so does a flag.
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

PAD, UNKNOWN, START, END = SPECIAL = ("<pad>", "<unk>", "<start>", "<end>")
BYTES = 256

_MARKS = r"[\p{M}\x{1F3FB}-\x{1F3FF}\x{E0020}-\x{E007F}]*"  # accents, skin tones, flag letters
_FLAG = r"[\x{1F1E6}-\x{1F1FF}]{2}"
_EMOJI = rf"{_FLAG}|\p{{So}}{_MARKS}(?:\x{{200D}}\p{{So}}{_MARKS})*"
_SPACELESS = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*"


def word_level(
    texts: Iterator[str],
    *,
    vocabulary_size: int,
    min_frequency: int,
    special: Sequence[str],
    lowercase: bool,
) -> Tokenizer:
    """Whole words; those below ``min_frequency`` or beyond ``vocabulary_size`` are unknown."""
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = _folding(lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(f"{_SPACELESS}|{_EMOJI}"), "isolated"),
            pre_tokenizers.Punctuation(),
        ]
    )
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary_size,
        min_frequency=min_frequency,
        special_tokens=list(special),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _surrounded(tokenizer)


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
            pre_tokenizers.Split(Regex(_EMOJI), "isolated"),
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
