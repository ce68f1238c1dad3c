"""Configuration of systems that learn a language from machine translations."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from polyglance.systems.config.image import ImageConfig
from polyglance.systems.config.loss import InfoNCEConfig, LossConfig, MaxOfHingesConfig
from polyglance.systems.config.matching import CosineConfig
from polyglance.systems.config.part import Part, Probability
from polyglance.systems.config.text import TextConfig


class TranslationLearnerConfig(Part):
    """What such systems share: the dual encoder that is left of them once they are trained.

    Its keys are those of ``dual-encoder``, so that training goes on from a checkpoint of one.

    Attributes:
        dimension: of the joint space.
        image: of pictures.
        text: of every language.
        matching: cosine.
        loss: between pictures and texts, on either side of the translation.
        source_weight: of the loss between pictures and source captions.
    """

    dimension: PositiveInt = 512
    image: ImageConfig
    text: TextConfig
    matching: CosineConfig = CosineConfig()
    loss: LossConfig = MaxOfHingesConfig()
    source_weight: PositiveFloat = 1.0


class NRCCRConfig(TranslationLearnerConfig):
    """NRCCR: the noise of a translation is filtered by what its source attends to.

    Attributes:
        target_weight: of the loss between pictures and translations.
        distillation_weight: of L_dist, from the filtered translations' similarities.
        temperature: of L_dist.
        feature_weight: of the smooth L1 distance between filtered and plain translations.
        feature_beta: β of it: where it goes from squares to absolute differences.
        consistency_weight: of the loss between source captions and translations translated back.
        adversary_weight: of the translations' part against the adversary.
        adversary_hidden: widths of its layers.
        attention_heads: of the cross-attention.
        attention_dropout: probability, on its weights.
    """

    system: Literal["nrccr"] = "nrccr"
    target_weight: NonNegativeFloat = 0.6
    distillation_weight: NonNegativeFloat = 0.4
    temperature: PositiveFloat = 0.07
    feature_weight: NonNegativeFloat = 0.1
    feature_beta: PositiveFloat = 4.0
    consistency_weight: NonNegativeFloat = 0.5
    adversary_weight: NonNegativeFloat = 0.001
    adversary_hidden: tuple[PositiveInt, ...] = (256, 128)
    attention_heads: PositiveInt = 8
    attention_dropout: Probability = 0.1


class CL2CMConfig(TranslationLearnerConfig):
    """Paper 4, as we understand it: a network between the languages teaches the one of pictures.

    Attributes:
        target_weight: of the loss between pictures and translations.
        teacher: the network between the languages: a text encoder of its own, by configuration or,
            with ``own``, like the student's; ``shared`` is the student's encoder itself.
        sentence_weight: of the loss between source captions and translations.
        sentence_loss: that loss.
        word_weight: of the alignment of words by optimal transport.
        epsilon: ε of the transport's entropy.
        iterations: of Sinkhorn's algorithm.
        distillation_weight: of the relational distillation.
        temperature: of its distributions.
        teacher_temperature: of the teacher's; ``None``: the same.
        trusted_rank: a translation counts as its picture's where, in the teacher's view of a batch,
            it is among so many that are most like its caption, and this among the captions most
            like it; ``None``: all count.
    """

    system: Literal["cl2cm"] = "cl2cm"
    target_weight: NonNegativeFloat = 1.0
    teacher: Literal["own", "shared"] | TextConfig = "own"
    sentence_weight: NonNegativeFloat = 1.0
    sentence_loss: LossConfig = InfoNCEConfig(learnable=False)
    word_weight: NonNegativeFloat = 1.0
    epsilon: PositiveFloat = 0.1
    iterations: PositiveInt = 20
    distillation_weight: NonNegativeFloat = 1.0
    temperature: PositiveFloat = 0.07
    teacher_temperature: PositiveFloat | None = None
    trusted_rank: PositiveInt | None = None


class DistilledConfig(TranslationLearnerConfig):
    """A translation is to be embedded where its source is; pictures teach the source alone.

    Attributes:
        distillation_weight: of the squared distance between both embeddings.
    """

    system: Literal["distilled"] = "distilled"
    distillation_weight: NonNegativeFloat = 1.0
