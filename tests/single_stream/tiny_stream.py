"""A small single-stream transformer with its tokenizer, and pictures to put beside texts."""

from __future__ import annotations

import torch
from torch import Tensor

from polyglance.single_stream.geometry import BoxEncoding
from polyglance.single_stream.likeness import Likeness
from polyglance.single_stream.stream import SingleStream, States
from polyglance.single_stream.tokens import PairTokenizer
from polyglance.single_stream.trunk import Trunk, new_trunk
from polyglance.single_stream.visual_embedding import EmbeddedRegions, VisualEmbedding
from polyglance.single_stream.word_table import new_word_table
from polyglance.text.tokenizer import Tokenizer
from polyglance.vision.described_regions import DescribedRegions

TEXTS = ["A dog runs over the grass.", "Ein Hund.", "一只狗在草地上跑。", ""]
LANGUAGES = ["en", "de", "zh", "und"]
WIDTH, CHANNELS, CLASSES = 24, 6, 5
TOKENIZER = PairTokenizer(
    tokenizer=Tokenizer.train(TEXTS * 3, vocabulary_size=300, mask=True),
    languages=LANGUAGES,
    max_length=24,
)


def tiny_trunk(*, width: int = WIDTH, dropout: float = 0.0) -> Trunk:
    """Two layers over the tiny tokenizer's words."""
    words = new_word_table(vocabulary_size=len(TOKENIZER.tokenizer), width=width)
    return new_trunk(words=words, layers=2, heads=2, max_length=24, dropout=dropout)


def tiny_stream(
    *, trunk: Trunk | None = None, dropout: float = 0.0, likeness: Likeness | None = None
) -> SingleStream:
    """Without dropout unless told, with pictures of the size of words."""
    trunk = trunk or tiny_trunk(dropout=dropout)
    visual = VisualEmbedding(
        channels=CHANNELS,
        width=trunk.width,
        geometry=BoxEncoding(frequencies=3),
        dropout=dropout,
        scale=0.02,
    )
    return SingleStream(
        trunk=trunk, visual=visual, languages=len(TOKENIZER.languages), likeness=likeness
    )


def tiny_regions(
    counts: tuple[int, ...] = (3, 1, 4, 2), *, regions: int = 4, seed: int = 0
) -> DescribedRegions:
    """Pictures with so many regions each, padded to ``regions``."""
    generator = torch.Generator().manual_seed(seed)

    def numbers(*shape: int) -> Tensor:
        return torch.rand(len(counts), regions, *shape, generator=generator)

    mask = torch.arange(regions) < torch.tensor(counts)[:, None]
    low, size = numbers(2) / 2, numbers(2) / 2
    probabilities = (numbers(CLASSES) * 3).softmax(-1)
    there = mask[..., None].float()
    return DescribedRegions(
        numbers(CHANNELS) * there,
        torch.cat([low, low + size], -1) * there,
        probabilities * there,
        mask,
    )


def embedded(stream: SingleStream, texts: list[str], languages: list[str]) -> tuple[Tensor, Tensor]:
    """Embedded texts and their mask."""
    tokens = TOKENIZER.single(texts, languages)
    return stream.embed_tokens(tokens), tokens.mask


def states(stream: SingleStream, images: EmbeddedRegions | None) -> States:
    """Of the tiny texts beside pictures, or alone."""
    found: States = stream(*embedded(stream, TEXTS, LANGUAGES), images)
    return found
