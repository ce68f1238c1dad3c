"""A multilingual text tower beside the image side of CLIP or SigLIP."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.systems import tiny_hub
from tests.systems.test_hub_dual_encoder import PICTURES, TEXTS

from polyglance import Retriever
from polyglance.errors import ModelError


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two models; a plus sign in the path is no separator."""
    here = tmp_path_factory.mktemp("c++")
    tiny_hub.sentence_tower(here / "text")
    tiny_hub.clip(here / "clip")
    return here


@pytest.fixture
def damaged(place: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(place / "text", tmp_path / "text"))


def pair(text: Path, image: Path) -> Retriever:
    return Retriever.load(f"{text}+{image}")


def test_texts_are_the_pooled_and_projected_states(place: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(place / "text").eval()
    inputs = AutoTokenizer.from_pretrained(place / "text")(
        TEXTS, padding=True, truncation=True, max_length=9, return_tensors="pt"
    )
    states = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"][..., None]
    layer = tiny_hub.sentence_tower(place / "again")
    rows = layer((states * mask).sum(1) / mask.sum(1))
    wanted = torch.nn.functional.normalize(rows, dim=-1).detach().numpy()
    found = pair(place / "text", place / "clip").encode_texts(TEXTS, language="de")
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_pictures_are_those_of_the_image_model(place: Path) -> None:
    retriever = pair(place / "text", place / "clip")
    wanted = Retriever.load(place / "clip").encode_images(PICTURES)
    np.testing.assert_array_equal(retriever.encode_images(PICTURES), wanted)
    assert retriever.name == f"{place / 'text'}+{place / 'clip'}"
    assert Retriever.load(retriever.name).fingerprint == retriever.fingerprint
    assert not any("text_model" in name for name, _ in retriever.system.named_parameters())


def test_siglip_has_pictures_too(place: Path, tmp_path: Path) -> None:
    tiny_hub.siglip2(tmp_path / "siglip2")
    tiny_hub.sentence_tower(tmp_path / "text", dimension=16)
    found = pair(tmp_path / "text", tmp_path / "siglip2").encode_images(PICTURES)
    np.testing.assert_array_equal(
        found, Retriever.load(tmp_path / "siglip2").encode_images(PICTURES)
    )
    with pytest.raises(ModelError, match="images end in 16 dimensions and texts in 8"):
        pair(place / "text", tmp_path / "siglip2")


def test_a_saved_one_loads_again_equal(place: Path, tmp_path: Path) -> None:
    before = pair(place / "text", place / "clip")
    before.save(tmp_path / "ours")
    after = Retriever.load(tmp_path / "ours")
    assert after.fingerprint == before.fingerprint
    np.testing.assert_array_equal(after.encode_images(PICTURES), before.encode_images(PICTURES))
    np.testing.assert_array_equal(after.encode_texts(TEXTS), before.encode_texts(TEXTS))


def test_clip_in_the_layout_of_sentence_transformers(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "clip", tmp_path / "whole" / "0_CLIPModel")
    module = {"idx": 0, "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}
    (tmp_path / "whole" / "modules.json").write_text(json.dumps([module]))
    plain, wrapped = Retriever.load(place / "clip"), Retriever.load(tmp_path / "whole")
    np.testing.assert_array_equal(wrapped.encode_texts(TEXTS), plain.encode_texts(TEXTS))
    both = pair(place / "text", tmp_path / "whole")
    assert both.fingerprint == pair(place / "text", place / "clip").fingerprint


@pytest.mark.parametrize(
    "name", ["2_Dense/model.safetensors", "1_Pooling/config.json", "sentence_bert_config.json"]
)
def test_the_fingerprint_is_over_all_that_counts(place: Path, damaged: Path, name: str) -> None:
    from polyglance.systems.sentence_modules import sentence_fingerprint

    assert sentence_fingerprint(damaged) == sentence_fingerprint(place / "text")
    with (damaged / name).open("a") as file:
        file.write(" ")
    assert sentence_fingerprint(damaged) != sentence_fingerprint(place / "text")


def test_a_text_tower_alone_asks_for_its_pictures(place: Path) -> None:
    with pytest.raises(ModelError, match=r"reads texts alone; .* text\+NAME"):
        Retriever.load(place / "text")
    with pytest.raises(ModelError, match=r"'distilbert' cannot .* supported are CLIP"):
        pair(place / "text", place / "text")
    with pytest.raises(ModelError, match=r"no text tower .* nothing"):
        pair(place / "clip", place / "clip")
    with pytest.raises(ModelError, match=r"no model .*nowhere"):
        pair(place / "text", place / "nowhere")


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pooling by several"),
        ("2_Dense/config.json", {"activation_function": "torch.nn.ReLU"}, "activation ReLU"),
        ("2_Dense/config.json", {"out_features": 6}, "cannot be loaded"),
    ],
)
def test_what_is_not_understood_is_named(
    place: Path, damaged: Path, name: str, changes: dict[str, Any], reason: str
) -> None:
    described = json.loads((damaged / name).read_text())
    (damaged / name).write_text(json.dumps({**described, **changes}))
    with pytest.raises(ModelError, match=reason):
        pair(damaged, place / "clip")


def test_pickles_are_not_read(place: Path, damaged: Path) -> None:
    (damaged / "2_Dense" / "model.safetensors").rename(damaged / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"2_Dense.* is missing, and pickled"):
        pair(damaged, place / "clip")
    (damaged / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no model\.safetensors, and pickled"):
        pair(damaged, place / "clip")


def test_lowered_texts_and_the_first_state(place: Path, damaged: Path) -> None:
    modes = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (damaged / "1_Pooling" / "config.json").write_text(json.dumps(modes))
    (damaged / "sentence_bert_config.json").write_text('{"do_lower_case": true}')
    first, mean = pair(damaged, place / "clip"), pair(place / "text", place / "clip")
    texts = ["a dog", "ein hund"]
    assert not np.allclose(first.encode_texts(texts), mean.encode_texts(texts), atol=1e-3)
    np.testing.assert_allclose(
        first.encode_texts(["  EIN Hund "]), first.encode_texts(["ein hund"]), atol=1e-6
    )
