"""A single stream small enough to learn eight captions in a second, and something to learn."""

from __future__ import annotations

import torch
from torch import Tensor

from polyglance.data.batch import Batch, Sentences, TextPairs
from polyglance.single_stream.geometry import BoxEncoding
from polyglance.single_stream.stream import SingleStream
from polyglance.single_stream.tokens import PairTokenizer
from polyglance.single_stream.trunk import new_trunk
from polyglance.single_stream.visual_embedding import VisualEmbedding
from polyglance.single_stream.word_table import new_word_table
from polyglance.text.tokenizer import Tokenizer
from polyglance.vision.described_regions import DescribedRegions

WIDTH, CHANNELS, REGIONS, CLASSES = 32, 6, 5, 4

ENGLISH = [
    "a black dog runs over wet grass",
    "two children sit in a small boat",
    "an old man reads his newspaper",
    "the girl throws one red ball",
    "three horses stand near water",
    "my brother cooks green soup",
    "some women dance on stage",
    "every bird sleeps at night",
]
GERMAN = [
    "ein schwarzer hund rennt durch nasses gras",
    "zwei kinder sitzen im kleinen boot",
    "der alte mann liest seine zeitung",
    "das mädchen wirft einen roten ball",
    "drei pferde stehen beim wasser",
    "mein bruder kocht grüne suppe",
    "einige frauen tanzen auf der bühne",
    "jeder vogel schläft bei nacht",
]


def tiny_tokenizer() -> PairTokenizer:
    """Every word of the corpus is one token; what is not in it is bytes."""
    tokenizer = Tokenizer.train(
        2 * (ENGLISH + GERMAN), vocabulary_size=900, min_frequency=2, mask=True
    )
    return PairTokenizer(tokenizer=tokenizer, languages=["en", "de"], max_length=32)


def tiny_stream(
    tokenizer: PairTokenizer, *, dimension: int | None = None, dropout: float = 0.0, seed: int = 1
) -> SingleStream:
    torch.manual_seed(seed)
    words = new_word_table(
        vocabulary_size=len(tokenizer.tokenizer), width=WIDTH, dimension=dimension
    )
    return SingleStream(
        trunk=new_trunk(words=words, layers=2, heads=2, max_length=32, dropout=dropout),
        visual=VisualEmbedding(
            channels=CHANNELS,
            width=WIDTH,
            geometry=BoxEncoding(frequencies=4),
            dropout=dropout,
            scale=0.02,
        ),
        languages=len(tokenizer.languages),
    )


def tiny_regions(count: int = 8, *, seed: int = 2) -> DescribedRegions:
    """Pictures that differ, of one region less every other time, with peaked soft labels."""
    random = torch.Generator().manual_seed(seed)
    mask = torch.ones(count, REGIONS, dtype=torch.bool)
    mask[1::2, -1] = False
    corners = torch.rand(count, REGIONS, 2, 2, generator=random).sort(dim=2).values
    labels = (4 * torch.randn(count, REGIONS, CLASSES, generator=random)).softmax(-1)
    return DescribedRegions(
        features=torch.randn(count, REGIONS, CHANNELS, generator=random) * mask[..., None],
        boxes=corners.flatten(2) * mask[..., None],  # (count, regions, 4)
        probabilities=labels * mask[..., None],
        mask=mask,
    )


def tiny_batch(count: int = 8) -> Batch:
    """English captions of pictures, the same in German beside them, and German alone."""
    ids = torch.arange(count)
    return Batch(
        images=torch.zeros(count, 1),
        image_ids=ids,
        texts=ENGLISH[:count],
        languages=["en"] * count,
        text_image_ids=ids,
        parallel=(
            TextPairs(
                pivots=ENGLISH[:count],
                translations=GERMAN[:count],
                pivot_language="en",
                language="de",
                pivot_ids=ids,
                translation_ids=ids,
            ),
        ),
        monolingual=Sentences(texts=GERMAN[:count], languages=["de"] * count),
    )


def gradients(total: Tensor, *tensors: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(total, tensors, retain_graph=True))
