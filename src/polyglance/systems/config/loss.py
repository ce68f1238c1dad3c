"""Configuration of losses: ``kind`` is the name in losses/catalogue.py, the rest its arguments."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from polyglance.systems.config.part import Part

Reduction = Literal["sum", "mean"]


class SumOfHingesConfig(Part):
    """Every negative within the margin.

    Attributes:
        margin: α: how much more a positive has to score than a negative.
        reduction: over the pairs that belong together.
    """

    kind: Literal["sum_of_hinges"] = "sum_of_hinges"
    margin: PositiveFloat = 0.2
    reduction: Reduction = "sum"


class MaxOfHingesConfig(Part):
    """The hardest negative of the batch.

    Attributes:
        margin: α: how much more a positive has to score than a negative.
        reduction: over the pairs that belong together.
    """

    kind: Literal["max_of_hinges"] = "max_of_hinges"
    margin: PositiveFloat = 0.2
    reduction: Reduction = "sum"


class AnnealedHingesConfig(Part):
    """From the sum to the maximum of hinges, λ = 1 − η^ε.

    Attributes:
        margin: α: how much more a positive has to score than a negative.
        eta: η; the smaller, the sooner the maximum alone counts.
        reduction: over the pairs that belong together.
    """

    kind: Literal["annealed_hinges"] = "annealed_hinges"
    margin: PositiveFloat = 0.2
    eta: Annotated[float, Field(gt=0, lt=1)] = 0.991
    reduction: Reduction = "sum"


class SimCLRConfig(Part):
    """Paper 5's equation 4: the positive is not in the denominator.

    Attributes:
        temperature: divides the scores.
        reduction: over the pairs that belong together.
    """

    kind: Literal["simclr"] = "simclr"
    temperature: PositiveFloat = 0.07
    reduction: Reduction = "mean"


class InfoNCEConfig(Part):
    """The contrastive loss of CLIP, with a learned scale unless it is fixed.

    Attributes:
        scale: multiplies the scores; where it is learned, at the start.
        learnable: whether it is.
        maximum_scale: up to which it is learned.
        reduction: over the pairs that belong together.
    """

    kind: Literal["info_nce"] = "info_nce"
    scale: PositiveFloat = 1 / 0.07
    learnable: bool = True
    maximum_scale: PositiveFloat = 100.0
    reduction: Reduction = "mean"


class SigLIPConfig(Part):
    """A logistic loss over every pair.

    Attributes:
        scale: multiplies the scores, at the start; learned.
        bias: added to them, at the start; learned.
        reduction: over the pairs that belong together.
    """

    kind: Literal["siglip"] = "siglip"
    scale: PositiveFloat = 10.0
    bias: float = -10.0
    reduction: Reduction = "mean"


class BarlowTwinsConfig(Part):
    """Cross-correlation of the two modalities close to the identity.

    Attributes:
        redundancy_weight: λ, of what is off the diagonal.
    """

    kind: Literal["barlow_twins"] = "barlow_twins"
    redundancy_weight: NonNegativeFloat = 0.005


LossConfig = Annotated[
    SumOfHingesConfig
    | MaxOfHingesConfig
    | AnnealedHingesConfig
    | SimCLRConfig
    | InfoNCEConfig
    | SigLIPConfig
    | BarlowTwinsConfig,
    Field(discriminator="kind"),
]
