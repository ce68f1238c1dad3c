"""Every loss by the name that a recipe gives it."""

from __future__ import annotations

from polyglance.losses.annealed_hinges import AnnealedHinges
from polyglance.losses.barlow_twins import BarlowTwins
from polyglance.losses.base import EmbeddingLoss, ScoreLoss
from polyglance.losses.info_nce import InfoNCE
from polyglance.losses.max_of_hinges import MaxOfHinges
from polyglance.losses.siglip import SigLIP
from polyglance.losses.simclr import SimCLR
from polyglance.losses.sum_of_hinges import SumOfHinges

LOSSES: dict[str, type[ScoreLoss | EmbeddingLoss]] = {
    "sum_of_hinges": SumOfHinges,
    "max_of_hinges": MaxOfHinges,
    "annealed_hinges": AnnealedHinges,
    "simclr": SimCLR,
    "info_nce": InfoNCE,
    "siglip": SigLIP,
    "barlow_twins": BarlowTwins,
}
