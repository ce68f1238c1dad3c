"""NRCCR: cross-lingual cross-modal retrieval with noise-robust learning (Wang et al., MM 2022).

Pictures v have captions s in a source language; machines translated these into the target language,
t, and may have translated them back, b. Where a translation went wrong, its words do not fit the
source's: a cross-attention from source to translation leaves the wrong ones out, and what remains,
c, teaches the plain translation. With Tri the triplet loss over the hardest negatives::

    J = Tri(s, v) + .6 Tri(t, v) + .4 L_dist + .1 SmoothL1(c, t) + .5 Tri(s, b) + L_adv

**L_dist**: the distribution of v over all t should be that of v over all c, and that of t over all
v that of c; τ = .07. It is :class:`~polyglance.losses.relational.RelationalDistillation`, whose
teacher takes no gradient at all; the published code stops it at c alone.

**SmoothL1** with β = 4 goes both ways: it is what the cross-attention learns from. Differences are
summed over dimensions here, since ours are of unit vectors, and averaged over pairs.

**Tri(s, b)** keeps apart what a translation loses; without back-translations it is left out.

**L_adv**: an adversary guesses the language from the mean of a text's words
(:class:`~polyglance.text.language_adversary.LanguageAdversary`).

In the paper texts are read by multilingual BERT, whose last layers learn, and one more layer; v is
a vector of a ResNet-152 or CLIP. Any encoders do here whose texts have words. All vectors that are
compared have unit length. At test time the published numbers fuse two matrices of scores
(:mod:`polyglance.evaluation.fusion`), for which queries have to be translated.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.data.batch import Batch
from polyglance.errors import ConfigError
from polyglance.features import Features
from polyglance.losses.base import EmbeddingLoss, ScoreLoss
from polyglance.losses.relational import RelationalDistillation
from polyglance.matching.base import Matching
from polyglance.systems.config import NRCCRConfig
from polyglance.systems.fingerprint import Tower
from polyglance.systems.translated import (
    EncodedPairs,
    TranslationLearner,
    refuse_without_words,
    weighted,
)
from polyglance.text.base import TextEncoder
from polyglance.text.language_adversary import LanguageAdversary
from polyglance.text.noise_filter import NoiseFilter
from polyglance.text.pooling import masked_mean
from polyglance.vision.image_encoder import ImageEncoder


class NRCCR(TranslationLearner):
    """Learns from translations with their noise filtered.

    Args:
        image: see :class:`~polyglance.systems.dual_encoder.DualEncoder`.
        text: of both languages, with words.
        matching: of pictures with texts, and of texts with texts.
        loss: Tri.
        config: what all of it was built from, with the terms' weights.
        towers: see :class:`~polyglance.systems.base.System`.

    Raises:
        ConfigError: the text encoder reads texts as a whole, or the dimension is not a multiple of
            the attention's heads.
    """

    config: NRCCRConfig

    def __init__(
        self,
        *,
        image: ImageEncoder,
        text: TextEncoder,
        matching: Matching,
        loss: ScoreLoss | EmbeddingLoss,
        config: NRCCRConfig,
        towers: dict[str, Tower],
    ) -> None:
        super().__init__(
            image=image, text=text, matching=matching, loss=loss, config=config, towers=towers
        )
        refuse_without_words(text, "nrccr", 'or system = "distilled"')
        if self.dimension % config.attention_heads:
            raise ConfigError(
                f"dimension = {self.dimension} is not a multiple of attention_heads = "
                f"{config.attention_heads}"
            )
        self.noise_filter = NoiseFilter(
            dimension=self.dimension,
            heads=config.attention_heads,
            dropout=config.attention_dropout,
        )
        self.relations = RelationalDistillation(temperature=config.temperature)
        self.adversary = LanguageAdversary(dimension=self.dimension, hidden=config.adversary_hidden)

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """The terms of J, weighted, those of weight 0 left out."""
        each, config = self.encode_pairs(batch, words=True), self.config
        filtered = self.noise_filter(each.sources, each.targets)  # (pairs, dim)
        terms = weighted(
            ("target", config.target_weight, partial(self.contrast_targets, each)),
            ("distillation", config.distillation_weight, partial(self._distil, each, filtered)),
            ("feature", config.feature_weight, partial(self._feature, each, filtered)),
            ("consistency", config.consistency_weight, partial(self._consistency, each)),
            ("source", config.source_weight, partial(self.contrast_sources, each)),
        )
        return terms | (self._mislead(each) if config.adversary_weight else {})

    def _distil(self, each: EncodedPairs, filtered: Tensor) -> Tensor:
        """L_dist, both directions."""
        images, targets = each.images.embedding, each.targets.embedding
        teacher, student = self.compare(images, filtered), self.compare(images, targets)
        terms = self.relations(teacher[each.pictures], student[each.pictures])
        return torch.stack([*terms.values()]).sum()

    def _feature(self, each: EncodedPairs, filtered: Tensor) -> Tensor:
        """SmoothL1(c, t)."""
        distances = functional.smooth_l1_loss(
            filtered, each.targets.embedding, beta=self.config.feature_beta, reduction="none"
        )  # (pairs, dim)
        return distances.sum(1).mean()

    def _consistency(self, each: EncodedPairs) -> Tensor | None:
        """Tri(s, b), where there are back-translations."""
        return None if each.back is None else self.contrast(each.sources, each.back, each.same)

    def _mislead(self, each: EncodedPairs) -> dict[str, Tensor]:
        """L_adv: the adversary's own loss, and the translations' against it."""
        losses = self.adversary(_mean_of_words(each.sources), _mean_of_words(each.targets))
        weight = self.config.adversary_weight
        return {"telling": losses["telling"], "fooling": weight * losses["fooling"]}

    def parts(self) -> dict[str, nn.Module]:
        """Those of a dual encoder, and ``noise_filter`` and ``adversary``."""
        own = {"noise_filter": self.noise_filter, "adversary": self.adversary}
        return super().parts() | own


def _mean_of_words(texts: Features) -> Tensor:
    """(texts, dim) the mean of each text's words."""
    assert texts.tokens is not None  # noqa: S101 -- encoded with them
    assert texts.mask is not None  # noqa: S101
    return masked_mean(texts.tokens, texts.mask)
