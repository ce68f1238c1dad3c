from __future__ import annotations

import pytest
import torch
from torch import Tensor

from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.non_local import NonLocalForm, build_non_local
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.region_encoder import RegionEncoder

CHANNELS, DIMENSION = 16, 6
PIXELS = torch.randint(
    0, 256, (3, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


class Patches(Backbone):
    """Cells of 4 × 4 pixels through one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.channels, self.grid_size = CHANNELS, (2, 2)
        self.preprocessing = Preprocessing(size=8)
        self.patches = torch.nn.Conv2d(3, CHANNELS, 4, stride=4)

    def forward(self, pixels: Tensor) -> BackboneFeatures:
        grid = self.patches(pixels / 255)
        return BackboneFeatures(grid=grid, pooled=grid.mean((2, 3)))


def encoder(non_local: NonLocalForm = "none", **options: bool | float) -> RegionEncoder:
    torch.manual_seed(0)
    return RegionEncoder(
        backbone=Patches(),
        non_local=build_non_local(non_local, CHANNELS),
        dimension=DIMENSION,
        **options,
    ).eval()


def regions() -> Tensor:
    """Two pictures, of five regions and of three."""
    torch.manual_seed(1)
    found = torch.randn(2, 5, CHANNELS, dtype=torch.float64)
    found[1, 3:] = 0
    return found


def by_loop(model: RegionEncoder, picture: Tensor) -> tuple[list[Tensor], Tensor]:
    """The tokens of a picture's regions that are not padding, and its embedding."""
    there = torch.stack([region for region in picture if any(region != 0)])
    if model.non_local is not None:
        there = model.non_local(there[None])[0]
    tokens = []
    for region in there:
        token = model.projection.weight @ region + model.projection.bias
        if model.activation:
            token = torch.stack([x if x > 0 else 0.1 * x for x in token])
        if model.normalise_regions:
            token = token / sum(x * x for x in token) ** 0.5
        tokens.append(token)
    mean = sum(tokens) / len(tokens)
    return tokens, mean / sum(x * x for x in mean) ** 0.5


@pytest.mark.parametrize("keep_tokens", [False, True])
@pytest.mark.parametrize("normalise_regions", [False, True])
@pytest.mark.parametrize("activation", [False, True])
@pytest.mark.parametrize("non_local", ["none", "paper", "residual"])
def test_values_and_gradients_against_a_loop(
    non_local: NonLocalForm, activation: bool, normalise_regions: bool, keep_tokens: bool
) -> None:
    model = encoder(
        non_local,
        activation=activation,
        normalise_regions=normalise_regions,
        keep_tokens=keep_tokens,
    ).double()
    inputs = regions()
    found = model(inputs)
    expected = [by_loop(model, picture) for picture in inputs]
    torch.testing.assert_close(found.embedding, torch.stack([each[1] for each in expected]))
    if keep_tokens:
        assert found.tokens is not None
        assert found.mask is not None
        assert found.mask.tolist() == [[True] * 5, [True] * 3 + [False] * 2]
        torch.testing.assert_close(
            found.tokens[found.mask], torch.stack(expected[0][0] + expected[1][0])
        )
    else:
        assert found.tokens is None
        assert found.mask is None
    weights = torch.randn(2, DIMENSION, dtype=torch.float64)
    learned = list(model.learned().parameters())
    naive = sum((weights[n] * expected[n][1]).sum() for n in range(2))
    for ours, loop in zip(
        torch.autograd.grad((found.embedding * weights).sum(), learned),
        torch.autograd.grad(naive, learned),
        strict=True,
    ):
        torch.testing.assert_close(ours, loop)


@pytest.mark.parametrize("non_local", ["paper", "none"])
def test_cells_of_a_grid_are_regions(non_local: NonLocalForm) -> None:
    model = encoder(non_local, keep_tokens=True)
    found = model.backbone_features(PIXELS)
    grid = model.backbone(PIXELS).grid
    listed = torch.stack([grid[:, :, i, j] for i in range(2) for j in range(2)], dim=1)
    torch.testing.assert_close(found, listed)
    whole = model(PIXELS)
    torch.testing.assert_close(model(found).embedding, whole.embedding)
    torch.testing.assert_close(model(found).tokens, whole.tokens)
    half = model(found.half()).embedding  # as a feature store keeps them
    torch.testing.assert_close(half, whole.embedding, rtol=0, atol=5e-3)
    torch.testing.assert_close(whole.embedding.norm(dim=1), torch.ones(3))


def test_an_embedding_does_not_depend_on_its_batch() -> None:
    model, inputs = encoder("paper", keep_tokens=True).double(), regions()
    together, alone = model(inputs), model(inputs[1:, :3])
    torch.testing.assert_close(together.embedding[1:], alone.embedding)
    torch.testing.assert_close(together.tokens[1:, :3], alone.tokens)


def test_a_picture_of_one_vector_is_one_region() -> None:
    model, vectors = encoder("paper", keep_tokens=True), regions()[:, 0]
    features, expected = model(vectors), model(vectors[:, None])
    torch.testing.assert_close(features.embedding, expected.embedding)
    assert features.tokens.shape[1] == 1


def test_a_picture_without_regions_gives_numbers() -> None:
    model = encoder("paper", keep_tokens=True)
    features = model(torch.zeros(1, 4, CHANNELS))
    assert features.embedding.isfinite().all()
    assert not features.mask.any()
    features.embedding.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.learned().parameters())


def test_everything_that_learns_gets_a_gradient() -> None:
    model = encoder("paper").train()
    assert not model.is_frozen
    weights = torch.randn(DIMENSION)
    (model(PIXELS).embedding @ weights).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
    of_learned = {id(parameter) for parameter in model.learned().parameters()}
    of_backbone = {id(parameter) for parameter in model.backbone.parameters()}
    assert of_learned | of_backbone == {id(parameter) for parameter in model.parameters()}
    assert not of_learned & of_backbone


def test_dropout_acts_in_training_alone() -> None:
    model, inputs = encoder(dropout=0.5).double(), regions()
    torch.testing.assert_close(model(inputs).embedding, encoder().double()(inputs).embedding)
    model.train()
    assert not torch.allclose(model(inputs).embedding, model(inputs).embedding)
