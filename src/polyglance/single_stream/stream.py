"""A text and the regions of a picture in one sequence, and what the transformer makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.precision import at_least_float32
from polyglance.single_stream.likeness import Likeness
from polyglance.single_stream.sentence_vector import SentenceVector
from polyglance.single_stream.tokens import Tokens
from polyglance.single_stream.trunk import Trunk
from polyglance.single_stream.visual_embedding import EmbeddedRegions, VisualEmbedding
from polyglance.single_stream.word_table import DEVIATION
from polyglance.vision.described_regions import DescribedRegions

REGION = 2  # the segment of regions and of the end


class States(NamedTuple):
    """What the last layer says.

    Attributes:
        tokens: (n, length, width), of the text.
        regions: (n, regions, width); ``None`` where there is no picture.
    """

    tokens: Tensor
    regions: Tensor | None

    @property
    def first(self) -> Tensor:
        """(n, width), of ``[CLS]``, which stands for the whole."""
        return self.tokens[:, 0]


class SingleStream(nn.Module):
    """``[CLS] text [SEP] regions [END]`` through one transformer.

    VL-BERT (Su et al., ICLR 2020, section 3.2 and figure 1), which Fei et al. (NAACL 2021, section
    3) take over. What is added up at each place::

        text      word     + position + segment + language + the whole picture
        regions   [IMG]    + position + segment            + the region
        end       [END]    + position + segment

    Regions are in no order and share one position, right behind the text's last; the end has the
    next. A text without a picture has a learned vector in the picture's place, and no end.
    Languages are those of translation language modelling (Conneau and Lample, NeurIPS 2019, section
    3.3); their vectors and that of no picture start at zero: a pretrained transformer starts as it
    was.

    A text embedded alone and a picture embedded alone are all that a pair needs. Places that are
    padding take part in nothing: the states of a pair do not depend on what stands beside it.

    Args:
        trunk: the transformer.
        visual: regions into its width.
        languages: how many have a vector, besides the one of all others.
        likeness: told to each place of a text and its picture; ``None``, as VL-BERT: nothing is.
        sentence: told to each place of a whole text; ``None``, as VL-BERT: nothing is.
    """

    def __init__(
        self,
        *,
        trunk: Trunk,
        visual: VisualEmbedding,
        languages: int = 0,
        likeness: Likeness | None = None,
        sentence: SentenceVector | None = None,
    ) -> None:
        super().__init__()
        self.width = trunk.width
        self.trunk = trunk
        self.visual = visual
        self.likeness = likeness
        self.sentence = sentence
        self.languages = nn.Parameter(torch.zeros(1 + languages, trunk.width))
        self.no_picture = nn.Parameter(torch.zeros(trunk.width))
        self.region_word = nn.Parameter(torch.randn(trunk.width) * DEVIATION)
        self.end_word = nn.Parameter(torch.randn(trunk.width) * DEVIATION)

    def embed_words(self, tokens: Tokens) -> Tensor:
        """(n, length, width): the tokens' own vectors and nothing more."""
        words: Tensor = self.trunk.words(tokens.ids)
        return words

    def embed_tokens(
        self, tokens: Tokens, *, words: Tensor | None = None, sentences: Tensor | None = None
    ) -> Tensor:
        """Word + position + segment + language, before any normalisation.

        Args:
            tokens: (n, length).
            words: (n, length, width), in the place of the tokens' own vectors.
            sentences: (n, dimension) embeddings of the whole texts, added as well; ``None`` where
                nothing may be known of words that are hidden.

        Returns:
            (n, length, width).
        """
        embedded = summed(self.trunk, tokens, self.languages, words=words)
        if self.sentence is None or sentences is None:
            return embedded
        return embedded + at_least_float32(self.sentence(sentences))[:, None]

    def embed_regions(
        self, regions: DescribedRegions, *, hidden: Tensor | None = None
    ) -> EmbeddedRegions:
        """Box and feature of each region, and of the whole picture.

        Args:
            regions: of n pictures.
            hidden: (n, regions) bool, whose features are not shown.
        """
        embedded: EmbeddedRegions = self.visual(regions, hidden=hidden)
        return embedded

    def forward(
        self, texts: Tensor, text_mask: Tensor, images: EmbeddedRegions | None = None
    ) -> States:
        """Texts, each with the picture in its row.

        Args:
            texts: (n, length, width), from :meth:`embed_tokens`.
            text_mask: (n, length) bool.
            images: n of them; ``None`` for texts without pictures.
        """
        if images is None:
            states = self.trunk(texts + self.no_picture, text_mask)  # (n, length, width)
            return States(states, None)
        length, regions = texts.shape[1], images.vectors.shape[1]
        states = self.trunk(*self._sequence(texts, text_mask, images))
        return States(states[:, :length], states[:, length : length + regions])

    def first(self, texts: Tensor, text_mask: Tensor, images: EmbeddedRegions) -> Tensor:
        """(n, width), the first of the states that a call gives, for less than all of them."""
        return self.trunk.first(*self._sequence(texts, text_mask, images))

    def _sequence(
        self, texts: Tensor, text_mask: Tensor, images: EmbeddedRegions
    ) -> tuple[Tensor, Tensor]:
        """What enters the transformer, (n, length + regions + 1, width), and its bool mask."""
        if self.likeness is not None:
            of_texts, of_regions = self.likeness(texts, text_mask, images)
            texts, images = texts + of_texts, replace(images, vectors=images.vectors + of_regions)
        sequence = torch.cat(
            [texts + images.whole[:, None], *self._behind(text_mask, images)], dim=1
        )  # (n, length + regions + 1, width)
        there = text_mask.new_ones(len(texts), 1)
        mask = torch.cat([text_mask, images.mask, there], dim=1)  # (n, length + regions + 1)
        return sequence, mask

    def _behind(self, text_mask: Tensor, images: EmbeddedRegions) -> tuple[Tensor, Tensor]:
        """What follows the texts: regions (n, regions, width) and the end (n, 1, width)."""
        lengths = text_mask.sum(dim=1)  # (n,)
        segment = self.trunk.segments[REGION]
        places = torch.stack([lengths, lengths + 1])  # (2, n)
        here, next_one = functional.embedding(places, self.trunk.positions)  # (n, width) each
        at_regions = here + segment + self.region_word
        return images.vectors + at_regions[:, None], (next_one + segment + self.end_word)[:, None]


def summed(
    trunk: Trunk, tokens: Tokens, languages: Tensor, *, words: Tensor | None = None
) -> Tensor:
    """What a transformer reads of texts: word + position + segment + language.

    Args:
        trunk: whose tables of words, positions and segments count.
        tokens: (n, length).
        languages: (languages, width).
        words: (n, length, width), in the place of the tokens' own vectors.

    Returns:
        (n, length, width), before any normalisation.
    """
    own = trunk.words(tokens.ids) if words is None else words
    return (
        at_least_float32(own)
        + functional.embedding(tokens.positions, trunk.positions)
        + functional.embedding(tokens.segments, trunk.segments)
        + functional.embedding(tokens.languages, languages)
    )
