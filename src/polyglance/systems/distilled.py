"""Text-tower distillation: a translation is to be embedded where its source is.

The plainest way to give a model of one language another one (Reimers and Gurevych, EMNLP 2020, for
sentence encoders; Carlsson et al., LREC 2022, for the text tower of CLIP): pictures and source
captions are contrasted as ever, and translations never meet a picture. With e the text encoder, of
source captions s and translations t::

    J = w_s · L(images, s) + w_d · mean ‖e(t) − sg[e(s)]‖²

where sg takes no gradient. Squares are summed over dimensions, of vectors of unit length, so that
the second term is 2 − 2 cos. In the papers the teacher is another network, trained before and
standing still; here one encoder reads both languages, and translations follow what sources learn.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor

from polyglance.data.batch import Batch
from polyglance.systems.config import DistilledConfig
from polyglance.systems.translated import EncodedPairs, TranslationLearner, weighted


class Distilled(TranslationLearner):
    """Learns translations from their sources alone; the arguments are those of a dual encoder."""

    config: DistilledConfig

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """Terms ``distillation`` and ``source``."""
        each, config = self.encode_pairs(batch), self.config
        return weighted(
            ("distillation", config.distillation_weight, partial(_distance, each)),
            ("source", config.source_weight, partial(self.contrast_sources, each)),
        )


def _distance(each: EncodedPairs) -> Tensor:
    """The mean of ‖e(t) − sg[e(s)]‖² over pairs."""
    apart = each.targets.embedding - each.sources.embedding.detach()  # (pairs, dim)
    return apart.square().sum(1).mean()
