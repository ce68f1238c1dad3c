"""What is said of a non-local block is true of blocks that are known."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest
import torch

from polyglance.vision.non_local import build_non_local
from polyglance.vision.precomputed import PrecomputedBackbone
from polyglance.vision.region_encoder import RegionEncoder

LOOK = runpy.run_path(str(Path(__file__).parents[2] / "recipes" / "region_look.py"))["look"]


def encoder(form: str) -> RegionEncoder:
    torch.manual_seed(0)
    return RegionEncoder(
        backbone=PrecomputedBackbone(channels=16, regions=5),
        non_local=build_non_local(form, 16),
        dimension=8,
    )


def test_equal_regions_are_alike_and_are_looked_at_alike() -> None:
    regions = torch.randn(3, 1, 16).expand(3, 5, 16)
    found = LOOK(encoder("paper"), regions)
    assert found == {"alike": pytest.approx(1.0, abs=1e-5), "width": pytest.approx(1.0)}


def test_cosines_and_entropies_by_loop() -> None:
    model, regions = encoder("residual"), torch.randn(2, 5, 16)
    found = LOOK(model, regions)
    cosines, entropies = [], []
    for picture in regions:
        tokens = [model.projection(region) for region in picture]  # γ is 0: the block does nothing
        tokens = [torch.where(token > 0, token, 0.1 * token) for token in tokens]
        for i, one in enumerate(tokens):
            for j, other in enumerate(tokens):
                if i != j:
                    cosines.append(torch.cosine_similarity(one, other, dim=0).item())
            logits = model.non_local.key(picture) @ model.non_local.query(picture[i])
            weights = logits.softmax(0)
            entropies.append(-(weights * weights.log()).sum().item() / math.log(5))
    assert found["alike"] == pytest.approx(sum(cosines) / len(cosines), abs=1e-5)
    assert found["width"] == pytest.approx(sum(entropies) / len(entropies), abs=1e-5)
    assert found["gamma"] == 0.0
    assert set(LOOK(encoder("none"), regions)) == {"alike"}
    assert not model.keep_tokens
