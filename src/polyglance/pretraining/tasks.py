"""All five tasks together, over one batch of captioned pictures and of texts without any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from polyglance.data.batch import Batch, Sentences, TextPairs
from polyglance.errors import ConfigError
from polyglance.pretraining.cltr import CrossLingualTextRecovery
from polyglance.pretraining.cmtr import CrossModalTextRecovery
from polyglance.pretraining.masking import WordMasking, mask_regions
from polyglance.pretraining.mlm import masked_language_model
from polyglance.pretraining.mrc import MaskedRegionClassification
from polyglance.pretraining.prediction import WordPrediction
from polyglance.pretraining.tlm import translation_language_model
from polyglance.single_stream.stream import SingleStream
from polyglance.single_stream.tokens import PairTokenizer, Tokens
from polyglance.text.tokenizer import Tokenizer
from polyglance.vision.described_regions import DescribedRegions

# Term → the field of a batch that it learns from.
TASKS = {
    "mlm": "captions",
    "mrc": "captions",
    "cmtr": "captions",
    "text_mlm": "monolingual",
    "tlm": "parallel",
    "cltr": "parallel",
}


class PretrainingTasks(nn.Module):
    """What a single stream learns before retrieval.

    Fei et al. (NAACL 2021, section 3.1 and figure 1)::

        captioned pictures   MLM, with the picture and its masked regions in sight
                             MRC, from the very same pass
                             CMTR
        parallel text        TLM, CLTR
        monolingual text     MLM

    The paper neither weighs its losses nor says how its three sources are mixed; here a weight
    stands before each, and every step has a batch of each source, whose sizes are the mix. A task
    of weight 0 costs nothing.

    TLM and CLTR look at a pair from one of its two sides. Which is drawn pair by pair, so that both
    languages are first sentences and are recovered, at the cost of one.

    The transformer is no part of this module and is given at each call: it outlives the tasks.

    Args:
        tokenizer: of the transformer.
        width: of the transformer.
        vocabulary_size: rows of its table of words; some have more than the tokenizer has tokens.
        weights: task → weight, by the names of :data:`TASKS`; those left out have 0.
        classes: of the regions' soft labels; ``None`` where they have none.
        share: of words and of regions that are chosen to be predicted.

    Attributes:
        sources: fields of a batch without which a task would be missing: of ``parallel`` and
            ``monolingual``, those that a task learns from.

    Raises:
        ConfigError: a weight is negative or names no task, all are 0, or regions are to be
            classified that have no classes.
    """

    def __init__(
        self,
        *,
        tokenizer: PairTokenizer,
        width: int,
        vocabulary_size: int,
        weights: Mapping[str, float],
        classes: int | None = None,
        share: float = 0.15,
    ) -> None:
        super().__init__()
        self._weights = _checked(weights, classes)
        self.sources = frozenset(TASKS[task] for task in self._weights) - {"captions"}
        self._tokenizer, self._share = tokenizer, share
        self._masking = word_masking(tokenizer.tokenizer, share=share)
        self.prediction = WordPrediction(width=width, vocabulary_size=vocabulary_size)
        self.mrc = self.cmtr = self.cltr = None
        if classes is not None and "mrc" in self._weights:
            self.mrc = MaskedRegionClassification(width=width, classes=classes)
        if "cmtr" in self._weights:
            self.cmtr = CrossModalTextRecovery(width=width)
        if "cltr" in self._weights:
            self.cltr = CrossLingualTextRecovery(width=width)

    def forward(
        self, stream: SingleStream, batch: Batch, regions: DescribedRegions
    ) -> dict[str, Tensor]:
        """The weighted terms of one step, by the names of :data:`TASKS`.

        Args:
            stream: the transformer.
            batch: whose captions, parallel and monolingual text are learned from.
            regions: of its pictures, row by row of ``batch.images``.

        Raises:
            ConfigError: the batch lacks a source that a task learns from.
        """
        self._refuse_without_sources(batch)
        losses = self._of_captions(stream, batch, regions)
        if batch.monolingual is not None and "text_mlm" in self._weights:
            losses["text_mlm"] = self._of_sentences(stream, batch.monolingual)
        losses |= self._of_translations(stream, batch.parallel)
        return {task: weight * losses[task] for task, weight in self._weights.items()}

    def _of_captions(
        self, stream: SingleStream, batch: Batch, regions: DescribedRegions
    ) -> dict[str, Tensor]:
        """MLM and MRC, from one pass, and CMTR."""
        losses: dict[str, Tensor] = {}
        tokens = self._tokenizer.single(batch.texts, batch.languages).to(regions.mask.device)
        regions = regions.rows(_rows_of_pictures(batch).to(regions.mask.device))  # one a text
        if self._weights.keys() & {"mlm", "mrc"}:
            losses |= self._of_masked(stream, tokens, regions)
        if self.cmtr is not None:
            images = stream.embed_regions(regions)
            losses["cmtr"] = self.cmtr(stream, self.prediction, tokens=tokens, images=images)
        return losses

    def _of_masked(
        self, stream: SingleStream, tokens: Tokens, regions: DescribedRegions
    ) -> dict[str, Tensor]:
        """MLM, and MRC where regions are classified; only then are regions hidden."""
        chosen, hidden = mask_regions(regions.mask, share=self._share)
        images = stream.embed_regions(regions, hidden=None if self.mrc is None else hidden)
        loss, states = masked_language_model(
            stream, self.prediction, self._masking, tokens=tokens, images=images
        )
        if self.mrc is None:
            return {"mlm": loss}
        return {"mlm": loss, "mrc": self.mrc(states.regions, regions.probabilities, chosen)}

    def _of_sentences(self, stream: SingleStream, sentences: Sentences) -> Tensor:
        """MLM on text alone."""
        tokens = self._tokenizer.single(sentences.texts, sentences.languages)
        tokens = tokens.to(stream.trunk.positions.device)
        loss, _ = masked_language_model(stream, self.prediction, self._masking, tokens=tokens)
        return loss

    def _of_translations(
        self, stream: SingleStream, parallel: Sequence[TextPairs]
    ) -> dict[str, Tensor]:
        """TLM and CLTR, of all language pairs at once."""
        losses: dict[str, Tensor] = {}
        if not parallel or not self._weights.keys() & {"tlm", "cltr"}:
            return losses
        first, second = turned(parallel)
        device = stream.trunk.positions.device
        if "tlm" in self._weights:
            pairs = self._tokenizer.pair(
                first.texts, second.texts, first.languages, second.languages
            )
            losses["tlm"] = translation_language_model(
                stream, self.prediction, self._masking, pairs=pairs.to(device)
            )
        if self.cltr is not None:
            losses["cltr"] = self.cltr(
                stream,
                self.prediction,
                tokens=self._tokenizer.single(first.texts, first.languages).to(device),
                translations=self._tokenizer.single(second.texts, second.languages).to(device),
            )
        return losses

    def _refuse_without_sources(self, batch: Batch) -> None:
        present = {"parallel": bool(batch.parallel), "monolingual": batch.monolingual is not None}
        for source in sorted(self.sources):
            if not present[source]:
                tasks = " and ".join(task for task in self._weights if TASKS[task] == source)
                raise ConfigError(
                    f"{tasks} learn from {source} text, and there is none; name its files under "
                    f"[data.{source}], or give {tasks} the weight 0"
                )


def word_masking(tokenizer: Tokenizer, *, share: float = 0.15) -> WordMasking:
    """How words of a vocabulary are hidden: by its mask, or by anything in it that is not special.

    Raises:
        ModelError: the tokenizer has no mask.
    """
    special = set(tokenizer.special_ids)
    ordinary = [number for number in range(len(tokenizer)) if number not in special]
    return WordMasking(mask_id=tokenizer.mask_id, ordinary=torch.tensor(ordinary), share=share)


def turned(parallel: Sequence[TextPairs]) -> tuple[Sentences, Sentences]:
    """All pairs in one, each from one of its two sides, which is drawn.

    Returns:
        The first and the second sentence of every pair.
    """
    pairs = [
        ((pivot, some.pivot_language), (translation, some.language))
        for some in parallel
        for pivot, translation in zip(some.pivots, some.translations, strict=True)
    ]
    coins = (torch.rand(len(pairs)) < 0.5).tolist()
    drawn = [pair[::-1] if coin else pair for pair, coin in zip(pairs, coins, strict=True)]
    return _sentences([first for first, _ in drawn]), _sentences([second for _, second in drawn])


def _sentences(tagged: Sequence[tuple[str, str]]) -> Sentences:
    return Sentences(texts=[text for text, _ in tagged], languages=[tag for _, tag in tagged])


def _rows_of_pictures(batch: Batch) -> Tensor:
    """(texts,) the row of the picture that each text describes."""
    own = batch.text_image_ids[:, None] == batch.image_ids[None, :]  # (texts, images)
    return own.int().argmax(dim=1)


def _checked(weights: Mapping[str, float], classes: int | None) -> dict[str, float]:
    """The positive weights, in the order of :data:`TASKS`."""
    for task, weight in weights.items():
        if task not in TASKS or not 0 <= weight < float("inf"):
            raise ConfigError(
                f"weights.{task} = {weight}: a task is one of {', '.join(TASKS)}, and its weight a "
                "number from 0"
            )
    kept = {task: weights[task] for task in TASKS if weights.get(task)}
    if not kept:
        raise ConfigError(f"no task has a weight; give one to some of {', '.join(TASKS)}")
    if "mrc" in kept and classes is None:
        raise ConfigError(
            "weights.mrc: the regions have no class probabilities to learn; set it to 0, or take "
            "a backbone that classifies (resnet50) or files with probabilities"
        )
    return kept
