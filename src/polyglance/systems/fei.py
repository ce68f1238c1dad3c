"""Cross-lingual cross-modal pretraining (Fei, Yu and Li, NAACL 2021).

A picture and a caption go through one transformer together, so that every word sees every region
from the first layer on. That is more exact than comparing two vectors, and costs a pass of the
transformer for every pair: such a model reranks what another one has found.

**Images** (section 4.1): regions, each with its box and a soft label, embedded as VL-BERT does; in
the paper a hundred boxes of a detector, here also the cells of any backbone's grid.

**Texts**: wordpieces of multilingual BERT, with a vector for each language.

**Matching** (section 3.2): the whole sequence through the transformer, and of its first state
R(q, I) = uᵀ BERT_CLS(q, I) + b.

**Pretraining** (section 3.1): masked words of captions and of plain text (MLM), masked words of
translations (TLM), classes of masked regions (MRC), captions recovered from regions (CMTR) and
sentences from their translations (CLTR); see :mod:`polyglance.pretraining`.

**Loss of retrieval** (section 3.2): of every pair of the batch the hardest negative picture and the
hardest negative text, hinged with a margin of .2, averaged. All pairs of a batch of B cost B²
passes.

**For a transformer that starts from nothing** (ours, and off unless asked for): means of words and
regions, as they enter it, are contrasted without a pass, before or beside the other objectives; and
words are told what a frozen encoder makes of the whole text.

**Training**: first on the tasks, then on retrieval, Adam at 1e-5, batches of 16 a device.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from polyglance.data.batch import Batch
from polyglance.features import Features
from polyglance.losses.base import ScoreLoss
from polyglance.losses.info_nce import InfoNCE
from polyglance.losses.mining import mined_pairs
from polyglance.precision import full_precision
from polyglance.pretraining.tasks import PretrainingTasks
from polyglance.single_stream.likeness import text_mean
from polyglance.single_stream.stream import SingleStream
from polyglance.single_stream.tokens import PairTokenizer, Tokens, even
from polyglance.single_stream.visual_embedding import EmbeddedRegions
from polyglance.systems.base import System
from polyglance.systems.fingerprint import Tower, features_fingerprint
from polyglance.systems.gradient_cache import computed_twice, encode_images, encode_texts
from polyglance.unit import unit_rows
from polyglance.vision.described_regions import RegionDescriber

if TYPE_CHECKING:
    from polyglance.systems.config import FeiConfig

NEVER = -1e4
"""The score of a pair that is not compared: so low that no loss takes it for a hard negative."""
PAIRS_AT_ONCE = 64
"""Pairs that go through the transformer together: their activations stay in the processor's cache,
and sorted by length few of them hold much padding."""


class Fei(System):
    """A single-stream transformer over captions and regions.

    Encoding either side stops before the transformer, which needs both. The features of a text
    have its summed embeddings as ``tokens``, those of a picture its embedded regions; ``embedding``
    is a text's mean and the picture as a whole, neither of unit length and nothing to search by.

    Args:
        image: pixels or kept features → regions with boxes.
        tokenizer: captions → tokens.
        stream: the transformer.
        tasks: to be pretrained on; without them the system learns retrieval.
        loss: of retrieval, over the scores.
        alignment: loss over cosines of what enters the transformer; needed by that objective, and
            where negatives are mined.
        config: what all of it was built from.
        towers: see :class:`System`.
    """

    def __init__(
        self,
        *,
        image: RegionDescriber,
        tokenizer: PairTokenizer,
        stream: SingleStream,
        tasks: PretrainingTasks | None,
        loss: ScoreLoss,
        alignment: InfoNCE | None,
        config: FeiConfig,
        towers: dict[str, Tower],
    ) -> None:
        super().__init__()
        self.image = image
        self.tokenizer = tokenizer
        self.stream = stream
        self.tasks = tasks
        self.head = nn.Linear(stream.width, 1)  # u and b
        self.loss = loss
        self.alignment = alignment
        self.config: FeiConfig = config
        self.towers = towers
        self.preprocessing = image.backbone.preprocessing
        self.dimension = stream.width

    def backbone_features(self, pixels: Tensor) -> Tensor:
        """(batch, 3, h, w) uint8 → (batch, regions, row) what the regions are described from."""
        return self.image.backbone_features(pixels)

    def encode_images(self, images: Tensor) -> Features:
        """Embed the regions of uint8 pixels (batch, 3, h, w), or of kept features."""
        embedded = self.stream.embed_regions(self.image(images))
        return Features(embedded.whole, tokens=embedded.vectors, mask=embedded.mask)

    def prepare_texts(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        """Strings to :class:`Tokens`, by name, and what is said of whole texts as ``sentences``."""
        inputs = self.tokenizer.single(texts, languages).tensors()
        sentence = self.stream.sentence
        return inputs if sentence is None else inputs | {"sentences": sentence.prepare(texts)}

    def encode_texts(self, inputs: dict[str, Tensor]) -> Features:
        """Embed what ``prepare_texts`` returned."""
        device = self.head.weight.device
        there = {name: tensor.to(device) for name, tensor in inputs.items()}
        sentences = there.pop("sentences", None)
        tokens = Tokens(**there)
        embedded = self.stream.embed_tokens(tokens, sentences=sentences)  # (texts, length, width)
        mean = text_mean(embedded, tokens.mask)  # (texts, width)
        return Features(mean, tokens=embedded, mask=tokens.mask)

    @property
    def is_inner_product(self) -> bool:
        """It is not: every pair has its own pass."""
        return False

    def score(self, images: Features, texts: Features) -> Tensor:
        """(images, texts): a pass of the transformer for each pair."""
        rows = (torch.arange(len(some), device=self.device) for some in (images, texts))
        every = torch.cartesian_prod(*rows)
        return self._score_pairs(images, texts, every.view(-1, 2)).view(len(images), len(texts))

    def score_all(self, images: Features, texts: Features) -> Tensor:
        """(images, texts) float32 scores in bounded memory, without gradients."""
        with torch.no_grad():
            return self.score(images, texts).float()

    def score_pairs(self, images: Features, texts: Features, pairs: Tensor) -> Tensor:
        """Scores of chosen pairs, in bounded memory and without gradients.

        Args:
            images: of any number.
            texts: of any number.
            pairs: (pairs, 2) int64, a row of ``images`` and one of ``texts`` each.

        Returns:
            (pairs,) float32.
        """
        with torch.no_grad():
            return self._score_pairs(images, texts, pairs).float()

    def _score_pairs(self, images: Features, texts: Features, pairs: Tensor) -> Tensor:
        """(pairs, 2) → (pairs,), block by block, each as long as its longest text."""
        assert texts.mask is not None  # noqa: S101 -- this system's features have them
        if not len(pairs):
            return self.head.weight.new_zeros(0)
        lengths = texts.mask.sum(1)[pairs[:, 1]]  # (pairs,)
        order = lengths.argsort(stable=True)
        score, at_once = self._score_block, PAIRS_AT_ONCE
        if self.chunk_size is not None and torch.is_grad_enabled():
            score = partial(computed_twice, self._score_block)
            at_once = min(at_once, self.chunk_size)
        scores = [
            score(images, texts, pairs[rows], even(int(lengths[rows[-1]])))
            for rows in torch.split(order, at_once)
        ]
        return torch.cat(scores)[order.argsort()]

    def _score_block(
        self, images: Features, texts: Features, pairs: Tensor, longest: int
    ) -> Tensor:
        some, others = images.rows(pairs[:, 0]), texts.rows(pairs[:, 1])
        assert some.tokens is not None  # noqa: S101
        assert some.mask is not None  # noqa: S101
        assert others.tokens is not None  # noqa: S101
        assert others.mask is not None  # noqa: S101
        first = self.stream.first(
            others.tokens[:, :longest],
            others.mask[:, :longest],
            EmbeddedRegions(some.tokens, some.embedding, some.mask),
        )
        scores: Tensor = self.head(first)  # (pairs, 1)
        return scores[:, 0]

    @property
    def learns_from(self) -> frozenset[str]:
        """What its tasks learn from."""
        return frozenset() if self.tasks is None else self.tasks.sources

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """The losses of the objective; those of retrieval over all pairs, or those mined."""
        if self.tasks is not None:
            return self._step_of_tasks(self.tasks, batch)
        images = encode_images(self, batch.images)
        texts = encode_texts(self, batch.texts, batch.languages)
        if self.alignment is not None:
            step = (
                self._step_of_alignment
                if self.config.objective == "alignment"
                else self._step_on_mined
            )
            return step(self.alignment, images, texts, batch)
        scores = self.score_everywhere(images, texts).float()
        losses: dict[str, Tensor] = self.loss(scores, self.gatherer.positives(batch))
        return losses

    def _step_of_tasks(self, tasks: PretrainingTasks, batch: Batch) -> dict[str, Tensor]:
        """Those of pretraining, and beside them alignment, of the captions of this process."""
        regions = self.image(batch.images)
        terms = dict(tasks(self.stream, batch, regions))
        if self.alignment is not None:
            whole = self.stream.embed_regions(regions).whole  # (images, width)
            texts = encode_texts(self, batch.texts, batch.languages)
            aligned = self.alignment(_alike(whole, texts.embedding), batch.positives)
            terms["alignment"] = self.config.alignment_weight * sum(aligned.values())
        return terms

    def _step_of_alignment(
        self, alignment: InfoNCE, images: Features, texts: Features, batch: Batch
    ) -> dict[str, Tensor]:
        """The contrast between all pictures and all texts of all processes, without any pass."""
        alike = _alike(self.gatherer.rows(images.embedding), texts.embedding)
        everywhere = self.gatherer.rows(alike.T).T  # (all images, all texts)
        return dict(alignment(everywhere, self.gatherer.positives(batch)))

    def _step_on_mined(
        self, alignment: InfoNCE, images: Features, texts: Features, batch: Batch
    ) -> dict[str, Tensor]:
        """Alignment over the pairs of this process, retrieval over those that it finds hard."""
        alike = _alike(images.embedding, texts.embedding)  # (images, texts)
        positives = batch.positives
        logits = alignment.scale * alike
        pairs = mined_pairs(logits.detach(), positives, negatives=self.config.mined or 0)
        found = self._score_pairs(images, texts, pairs).float()  # (pairs,)
        scores = found.new_full(alike.shape, NEVER).index_put((pairs[:, 0], pairs[:, 1]), found)
        aligned = alignment(alike, positives)
        return dict(self.loss(scores, positives)) | {
            f"alignment_{name}": term for name, term in aligned.items()
        }

    @property
    def trains_together(self) -> bool:
        """Each process passes its own texts with all pictures through the transformer.

        In pretraining it averages over its own words and regions, and the mean over processes is
        that of these averages: where one has more words than another, each of them counts less.
        """
        return True

    @property
    def encodes_in_chunks(self) -> bool:
        """In retrieval: pictures, texts, and the pairs that go through the transformer."""
        return self.tasks is None

    def backbone_fingerprint(self) -> str:
        """Over the backbone's weights, its preprocessing and what of it is kept."""
        tower = self.towers.get("image.backbone")
        return features_fingerprint(self.image.backbone, keeps=self.image.keeps, tower=tower)

    def parts(self) -> dict[str, nn.Module]:
        """Backbone, embedding of regions, words, transformer with these two, head, loss, tasks."""
        parts = {
            "image.backbone": self.image.backbone,
            "image.embedding": self.stream.visual,
            "text.words": self.stream.trunk.words,
            "stream": self.stream,
            "head": self.head,
        }
        if self.alignment is not None:
            parts["loss.alignment"] = self.alignment
        if self.tasks is not None:
            return parts | {"tasks": self.tasks}
        # The loss of retrieval is a loss of that objective alone.
        return parts if self.config.objective == "alignment" else parts | {"loss": self.loss}

    def save_assets(self, folder: Path) -> None:
        """The tokenizer, and the architecture of the transformer and of the backbone."""
        self.tokenizer.save(folder)
        self.stream.trunk.save_architecture(folder)
        self.image.backbone.save_architecture(folder)


def _alike(pictures: Tensor, texts: Tensor) -> Tensor:
    """(images, width) and (texts, width) → (images, texts) float32 cosines."""
    rows, columns = unit_rows(pictures), unit_rows(texts)
    with full_precision(rows):
        return rows @ columns.mT
