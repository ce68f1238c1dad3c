"""A dual encoder that learns from captioned pictures and from translations without pictures.

Equation 8 of Wehrmann et al. (ICCV 2019), with J_M the loss between pictures x and captions c, and
J_L one between sentences t of the pivot language l_1 and their translations into l_j::

    J = J_M(x, c) + 1/|L| Σ_j J_L(t_l1, t_lj)

L are here the languages that a batch translates into: the sum over j = 1 would compare sentences
with themselves. The authors' code has no 1/|L|. They train CLMR, LIWE, VSE++ and SCAN so (tables 4
and 5).

Sentences are compared as pictures and texts are, the pivot standing where the picture does. Under
stacked cross attention the words of a translation look for the pivot's, or the pivot's for them.
Under the order of embeddings a translation comes to lie below its pivot, as that does below its
picture, and so below the picture too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, repeat

import torch
from torch import Tensor, nn

from polyglance.data.batch import Batch
from polyglance.features import Features
from polyglance.losses.base import EmbeddingLoss, ScoreLoss
from polyglance.matching.base import Matching
from polyglance.systems.config import Part
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.systems.fingerprint import Tower
from polyglance.systems.gradient_cache import encode_images, encode_texts
from polyglance.text.base import TextEncoder
from polyglance.vision.image_encoder import ImageEncoder

Sentence = tuple[str, str]  # the text, and the BCP-47 tag of its language


class CoTrained(DualEncoder):
    """A dual encoder that also learns from translations without pictures.

    Args:
        image: see :class:`DualEncoder`, like all arguments but one.
        text: of every language.
        matching: of pictures with texts, and of pivots in the place of pictures with translations.
        loss: J_M, between pictures and captions.
        text_loss: J_L, between sentences and their translations.
        config: what all of it was built from.
        towers: see :class:`System`.
    """

    def __init__(
        self,
        *,
        image: ImageEncoder,
        text: TextEncoder,
        matching: Matching,
        loss: ScoreLoss | EmbeddingLoss,
        text_loss: ScoreLoss,
        config: Part,
        towers: dict[str, Tower],
    ) -> None:
        super().__init__(
            image=image, text=text, matching=matching, loss=loss, config=config, towers=towers
        )
        self.text_loss = text_loss

    @property
    def learns_from(self) -> frozenset[str]:
        """Translations."""
        return frozenset({"parallel"})

    @property
    def trains_together(self) -> bool:
        """Pictures and captions, and sentences and translations, are gathered."""
        return True

    @property
    def encodes_in_chunks(self) -> bool:
        """All texts of a batch together, and its pictures."""
        return True

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """Equation 8: the terms of J_M by their names, then J_L/|L| of each language pair.

        The latter are named by their languages, as in ``en-de``.
        """
        groups = [_tagged(batch.texts, batch.languages)]
        for pairs in batch.parallel:
            groups.append(_tagged(pairs.pivots, repeat(pairs.pivot_language)))
            groups.append(_tagged(pairs.translations, repeat(pairs.language)))
        captions, *sentences = self._encode_together(groups)
        images = encode_images(self, batch.images)
        terms = self.cross_modal_loss(images, captions, self.gatherer.positives(batch))
        count = len(batch.parallel)
        for number, pairs in enumerate(batch.parallel):
            pivots, translations = sentences[2 * number : 2 * number + 2]
            # A loss that counts its steps must count this one once, however many the languages.
            self.text_loss.train(self.training and number == count - 1)
            scores = self.score_everywhere(pivots, translations)
            losses = self.text_loss(scores, self.gatherer.translations(pairs))
            total = torch.stack([*losses.values()]).sum()
            terms[f"{pairs.pivot_language}-{pairs.language}"] = total / count
        return terms

    def _encode_together(self, groups: Sequence[Sequence[Sentence]]) -> list[Features]:
        """Encode each distinct sentence once, and give every group its rows."""
        row_of: dict[Sentence, int] = {}
        for sentence in chain(*groups):
            row_of.setdefault(sentence, len(row_of))
        texts, languages = zip(*row_of, strict=True)
        encoded = encode_texts(self, texts, languages)
        return [_rows(encoded, [row_of[sentence] for sentence in group]) for group in groups]

    def parts(self) -> dict[str, nn.Module]:
        """Those of a dual encoder, and the loss between texts as ``loss.text``."""
        return {**super().parts(), "loss.text": self.text_loss}


def _tagged(texts: Iterable[str], languages: Iterable[str]) -> list[Sentence]:
    return list(zip(texts, languages, strict=False))  # one language may be repeated for ever


def _rows(features: Features, rows: Sequence[int]) -> Features:
    """The features of the sentences at ``rows``."""
    index = torch.tensor(rows, dtype=torch.int64, device=features.embedding.device)
    return Features(
        features.embedding[index],  # (sentences, dim) → (rows, dim)
        None if features.tokens is None else features.tokens[index],
        None if features.mask is None else features.mask[index],
    )
