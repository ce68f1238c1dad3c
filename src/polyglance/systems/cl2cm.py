"""CL2CM: from a cross-lingual to a cross-modal network (Wang et al., AAAI 2024).

Of the paper the abstract is public and what others tell: pictures v have captions s in a source
language and machine translations t of them, which are noisy; text and text lie closer together than
picture and text, so that a *cross-lingual network* over s and t, with alignment of sentences and,
by optimal transport, of words, gives reliable correspondences; it teaches a *cross-modal network*
over v and t by relational distillation. **All formulas and weights here are our interpretation**::

    J = w_s L(v, s) + w_t L(v, t)                          the cross-modal network
      + w_1 InfoNCE(s, t) + w_2 ⟨T*, 1 − cos(s_i, t_j)⟩    the cross-lingual network
      + w_d KL( relations(s, t) ‖ relations(v, t) )        from the second to the first

**Words** (:class:`~polyglance.losses.optimal_transport.TransportLoss`): between each caption and
its own translation, on Sinkhorn's plan.

**Relations** (:class:`~polyglance.losses.relational.RelationalDistillation`): how a caption's
similarities spread over the batch's translations, and a translation's over the captions; a picture
takes its caption's place with the student. The teacher takes no gradient from it. A translation
that went wrong is less like its source than others are, and is then not forced upon the picture.

**Trust**, where ``trusted_rank`` asks for it: L(v, t) is over those translations alone that the
teacher finds near their captions, and counts by their share, so that each weighs what it did.
Others are no positives, and no negatives either: they may be right. That the network between the
languages gives reliable correspondences is the paper's; to leave the rest out is ours.

**The teacher** is a text encoder of its own, read for nothing but s and t: one like the student's
that learns beside it or in an earlier phase, any other by configuration, such as a frozen sentence
encoder, which has no words to align; or it is the student's encoder itself, which both networks
then train. A checkpoint has the student alone.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from polyglance.data.batch import Batch
from polyglance.features import Features
from polyglance.losses.base import EmbeddingLoss, ScoreLoss
from polyglance.losses.optimal_transport import TransportLoss
from polyglance.losses.relational import RelationalDistillation
from polyglance.matching.base import Matching
from polyglance.systems.config import CL2CMConfig
from polyglance.systems.fingerprint import Tower
from polyglance.systems.translated import (
    EncodedPairs,
    TranslationLearner,
    encode,
    refuse_without_words,
    translations_of,
    weighted,
)
from polyglance.text.base import TextEncoder
from polyglance.vision.image_encoder import ImageEncoder


class _Taught(NamedTuple):
    """The teacher's view of a batch: both sides, and how alike all of all processes are."""

    sources: Features
    targets: Features
    scores: Tensor


class CL2CM(TranslationLearner):
    """A dual encoder and, while it is trained, its teacher.

    Args:
        image: see :class:`~polyglance.systems.dual_encoder.DualEncoder`.
        text: the student's encoder, of both languages.
        matching: of pictures with texts, and of texts with texts.
        loss: L, between pictures and texts.
        sentence_loss: between captions and translations, in the teacher's space.
        teacher: encoder of both languages; ``None``: the student's own.
        config: what all of it was built from, with the terms' weights.
        towers: see :class:`~polyglance.systems.base.System`.

    Raises:
        ConfigError: words are to be aligned, and the teacher reads texts as a whole.
    """

    config: CL2CMConfig

    def __init__(
        self,
        *,
        image: ImageEncoder,
        text: TextEncoder,
        matching: Matching,
        loss: ScoreLoss | EmbeddingLoss,
        sentence_loss: ScoreLoss,
        teacher: TextEncoder | None,
        config: CL2CMConfig,
        towers: dict[str, Tower],
    ) -> None:
        super().__init__(
            image=image, text=text, matching=matching, loss=loss, config=config, towers=towers
        )
        if config.word_weight:
            refuse_without_words(teacher or text, "cl2cm's teacher", "or word_weight = 0")
        self.teacher = teacher
        self.sentence_loss = sentence_loss
        self.transport = TransportLoss(epsilon=config.epsilon, iterations=config.iterations)
        self.relations = RelationalDistillation(
            temperature=config.temperature, teacher_temperature=config.teacher_temperature
        )

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """The terms of J, weighted, those of weight 0 left out."""
        config, shares = self.config, self.teacher is None
        each = self.encode_pairs(batch, words=shares and config.word_weight > 0)
        taught = self._taught(each, batch)
        return weighted(
            ("target", config.target_weight, partial(self._targets, taught, each)),
            ("sentences", config.sentence_weight, partial(self._sentences, taught, each.same)),
            ("words", config.word_weight, partial(self._words, taught)),
            ("relations", config.distillation_weight, partial(self._relations, taught, each)),
            ("source", config.source_weight, partial(self.contrast_sources, each)),
        )

    def _taught(self, each: EncodedPairs, batch: Batch) -> _Taught:
        """The sources and the targets as the teacher reads them."""
        sources, targets = each.sources, each.targets
        if self.teacher is not None:
            pairs = translations_of(batch)
            both = encode(
                self.teacher,
                [*pairs.sources, *pairs.targets],
                [*[pairs.source_language] * len(pairs.sources), *pairs.target_languages],
                words=self.config.word_weight > 0,
            )
            middle = len(pairs.sources)
            sources, targets = both.rows(slice(middle)), both.rows(slice(middle, None))
        return _Taught(sources, targets, self.compare(sources.embedding, targets.embedding))

    def _targets(self, taught: _Taught, each: EncodedPairs) -> Tensor:
        """The loss between pictures and the translations that are trusted."""
        if self.config.trusted_rank is None:
            return self.contrast_targets(each)
        trusted = trusted_pairs(taught.scores, each.same, rank=self.config.trusted_rank)
        if not trusted.any():
            return 0.0 * each.targets.embedding.sum()  # in the graph, as other processes expect
        loss = self.contrast(each.images, each.targets, each.translated, among=trusted)
        return trusted.float().mean() * loss

    def _sentences(self, taught: _Taught, same: Tensor) -> Tensor:
        """The contrast between captions and translations."""
        terms: dict[str, Tensor] = self.sentence_loss(taught.scores, same)
        return torch.stack([*terms.values()]).sum()

    def _words(self, taught: _Taught) -> Tensor:
        """What carrying the words of each caption to its translation costs."""
        costs: Tensor = self.transport(
            taught.sources.tokens, taught.targets.tokens, taught.sources.mask, taught.targets.mask
        )
        return costs

    def _relations(self, taught: _Taught, each: EncodedPairs) -> Tensor:
        """What the student's similarities lack of the teacher's."""
        student = self.compare(each.images.embedding, each.targets.embedding)
        terms = self.relations(taught.scores, student[each.pictures])  # (all pairs, all pairs)
        return torch.stack([*terms.values()]).sum()

    def parts(self) -> dict[str, nn.Module]:
        """Those of a dual encoder, ``teacher`` where it is one of its own, ``loss.sentences``."""
        own: dict[str, nn.Module] = {"loss.sentences": self.sentence_loss}
        return super().parts() | own | ({} if self.teacher is None else {"teacher": self.teacher})


def trusted_pairs(scores: Tensor, same: Tensor, *, rank: int) -> Tensor:
    """Whether a caption and its translation are among the best ``rank`` of each other.

    Args:
        scores: (pairs, pairs) of captions with translations; a pair's own are on the diagonal.
        same: (pairs, pairs) bool, what says the same and is no rival.
        rank: from 1.

    Returns:
        (pairs,) bool.
    """
    own = scores.diagonal()  # (pairs,)
    rivals = scores.masked_fill(same, float("-inf"))
    better_translations = (rivals > own[:, None]).sum(1)  # (pairs,)
    better_captions = (rivals > own[None, :]).sum(0)  # (pairs,)
    return (better_translations < rank) & (better_captions < rank)
