"""The built-in model: its shipped weights, and its parts wired together without the towers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from polyglance.losses.info_nce import InfoNCE
from polyglance.systems.builders import build_mini_heads
from polyglance.systems.config import MiniConfig
from polyglance.systems.int8 import restore_rows
from polyglance.systems.locate import BUILT_IN
from polyglance.systems.mini import Mini, join
from polyglance.vision.resnet import ResNet

if TYPE_CHECKING:
    from polyglance import Retriever

FOLDER = BUILT_IN / "mini"


class Letters:
    """A stand-in for the sentence encoder: a text's characters, counted and hashed."""

    dimension = 512

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), 512), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for char in text or " ":
                row[ord(char) % 512] += 1
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def system() -> Mini:
    """The shipped heads over a small random tower."""
    torch.manual_seed(0)
    config = MiniConfig(**json.loads((FOLDER / "config.json").read_text())["model"])
    image, text = build_mini_heads(config)
    tower = ResNet(depths=(1, 1, 1, 1))
    built = Mini(
        backbone=tower,
        encoder=Letters(),
        image=image,
        text=text,
        loss=InfoNCE(scale=22.0, learnable=False),
        config=config,
        towers={},
    )
    state = load_file(FOLDER / "model.safetensors")
    missing, unexpected = built.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.startswith("backbone.") for name in missing)
    return built.eval()


def texts_of(system: Mini, texts: list[str], tag: str = "") -> torch.Tensor:
    with torch.no_grad():
        return system.encode_texts(system.prepare_texts(texts, [tag] * len(texts))).embedding


def test_the_package_carries_weights_config_and_card() -> None:
    assert (FOLDER / "model.safetensors").stat().st_size < 14e6
    card = (FOLDER / "card.md").read_text()
    assert "(worst)" in card
    assert "research use" in card


def test_shipped_weights_are_finite_and_int8() -> None:
    state = dict(load_file(FOLDER / "model.safetensors"))
    assert state["text.correction.table"].dtype == torch.int8
    restore_rows(torch.nn.Identity(), state, "")
    assert all(torch.isfinite(tensor.float()).all() for tensor in state.values())
    axes = state["axes"].float()
    assert axes.shape == (512, 1792)
    torch.testing.assert_close(axes @ axes.T, torch.eye(512), atol=0.02, rtol=0)


def test_all_axes_are_kept_where_none_are_chosen(system: Mini) -> None:
    whole = Mini(
        backbone=system.backbone,
        encoder=system.encoder,
        image=system.image,
        text=system.text,
        loss=system.loss,
        config=system.config.model_copy(update={"axes": None}),
        towers={},
    )
    assert whole.dimension == 1792
    assert "axes" not in whole.state_dict()
    assert system.axes is not None
    texts = ["ein Hund", "two cats", "道"]
    along = torch.nn.functional.normalize(texts_of(whole, texts) @ system.axes.T, dim=1)
    torch.testing.assert_close(texts_of(system, texts), along)


def test_pictures_and_texts_share_a_space_of_unit_vectors(system: Mini) -> None:
    pixels = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    with torch.no_grad():
        pictures = system.encode_images(pixels).embedding
    texts = texts_of(system, ["a dog", "pes", ""])
    assert pictures.shape == (2, system.dimension)
    assert texts.shape == (3, system.dimension)
    torch.testing.assert_close(pictures.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(3))


def test_cached_grids_and_pixels_give_the_same(system: Mini) -> None:
    pixels = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    with torch.no_grad():
        direct = system.encode_images(pixels).embedding
        cached = system.encode_images(system.backbone_features(pixels)).embedding
    torch.testing.assert_close(direct, cached)


def test_a_cell_is_a_picture_of_its_own(system: Mini) -> None:
    pixels = torch.randint(0, 256, (2, 3, 256, 320), dtype=torch.uint8)
    with torch.no_grad():
        cells = system.cells(pixels)
        grid = system.backbone(pixels).grid
        alone = system.encode_images(grid[:, :, 5:6, 7:8]).embedding
    assert system.localises
    assert cells.shape == (8, 10)
    torch.testing.assert_close(cells.vectors[:, 5 * 10 + 7], alone)
    assert cells.weights is not None
    for picture in range(2):
        length = sum(float(each) ** 2 for each in grid[picture, :, 5, 7]) ** 0.5
        assert float(cells.weights[picture, 5 * 10 + 7]) == pytest.approx(length**0.5, rel=1e-4)


def test_a_cell_counts_by_how_much_it_shows(system: Mini, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyglance.systems.base.smooth", lambda maps: maps)
    pixels = torch.randint(0, 256, (2, 3, 256, 320), dtype=torch.uint8)
    with torch.no_grad():
        texts = system.encode_texts(system.prepare_texts(["a dog", "pes"], ["en", "cs"]))
        cells = system.cells(pixels)
    heat = system.heat(pixels, texts)
    assert heat.shape == (2, 2, 8, 10)
    assert cells.weights is not None
    for picture in range(2):
        for text in range(2):
            scores = [float(cell @ texts.embedding[text]) for cell in cells.vectors[picture]]
            for place in (0, 33, 79):
                weight = float(cells.weights[picture, place])
                expected = (scores[place] - min(scores)) * weight
                found = float(heat[picture, text, place // 10, place % 10])
                assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_an_embedding_depends_neither_on_its_batch_nor_on_a_tag(system: Mini) -> None:
    many = texts_of(system, ["pes běží po louce", "dog", "一只狗在草地上奔跑，后面跟着三个孩子"])
    alone = texts_of(system, ["dog"], tag="en")
    torch.testing.assert_close(many[1:2], alone, atol=1e-5, rtol=0)


def test_join_weighs_captions_and_names() -> None:
    torch.manual_seed(0)

    def unit(*shape: int) -> torch.Tensor:
        return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)

    seen, named, captions, names = unit(4, 3, 5), unit(4, 6), unit(2, 3, 5), unit(2, 6)
    share = torch.tensor([[0.9], [0.2]])
    pictures = join(seen, named, torch.full((4, 1), 0.5))
    scores = join(captions, names, share) @ pictures.T
    for text in range(2):
        expected = []
        for picture in range(4):
            mean = sum(float(captions[text, b] @ seen[picture, b]) for b in range(3)) / 3
            name = float(names[text] @ named[picture])
            expected.append(float(share[text]) * mean + (1 - float(share[text])) * name)
        ratio = scores[text] / torch.tensor(expected)
        torch.testing.assert_close(ratio, ratio[:1].expand(4))  # one positive factor a text
        assert ratio[0] > 0


def test_training_reaches_every_head_and_leaves_the_tower_alone(system: Mini) -> None:
    from polyglance.data.batch import Batch

    system.train()
    assert not system.backbone.training
    batch = Batch(
        images=torch.rand(3, 2048, 7, 7),
        image_ids=torch.arange(3),
        texts=["ein Hund", "two cats", "道"],
        languages=["de", "en", "zh"],
        text_image_ids=torch.arange(3),
    )
    sum(system.training_step(batch).values()).backward()
    for name, parameter in system.named_parameters():
        if name.startswith("backbone."):
            assert parameter.grad is None
        else:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
    system.zero_grad(set_to_none=True)
    system.eval()


@pytest.mark.towers
def test_a_sentence_in_each_language_is_nearest_to_its_english(mini: Retriever) -> None:
    english = ["a dog runs on the beach", "two children on a swing", "a man rides a bicycle"]
    others = {
        "de": ["ein Hund rennt am Strand", "zwei Kinder auf einer Schaukel", "ein Mann fährt Rad"],
        "cs": ["pes běží po pláži", "dvě děti na houpačce", "muž jede na kole"],
        "zh": ["一只狗在沙滩上奔跑", "两个孩子在荡秋千", "一个男人在骑自行车"],
    }
    there = mini.encode_texts(english)
    for texts in others.values():
        assert (mini.encode_texts(texts) @ there.T).argmax(1).tolist() == [0, 1, 2]


@pytest.mark.towers
@pytest.mark.flickr8k
def test_real_photos_are_found_by_their_captions(mini: Retriever, flickr8k: Path) -> None:
    lines = (flickr8k / "val.jsonl").read_text().splitlines()[:50]
    records = [json.loads(line) for line in lines]
    pictures = mini.encode_images([flickr8k / record["image"] for record in records])
    for language, least in (("en", 0.9), ("zh", 0.7)):  # R@10 among fifty
        texts = [record["captions"][language][0] for record in records]
        scores = mini.encode_texts(texts, language=language) @ pictures.T
        ranks = (scores > np.diag(scores)[:, None]).sum(1)
        assert (ranks < 10).mean() >= least, language
