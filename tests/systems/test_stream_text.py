"""A pretrained single-stream transformer as the text side of a dual encoder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from tests.systems.test_fei import GERMAN, STREAM, TEXTS
from tests.systems.test_fei import built as built_fei
from tests.systems.test_single_stream import pretrained
from tests.systems.tiny_backbone import TINY
from tests.systems.tiny_translated import batch

from polyglance.errors import ConfigError, ModelError
from polyglance.single_stream.text_encoder import StreamTextEncoder
from polyglance.single_stream.tokens import Tokens
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import load_checkpoint, save_system
from polyglance.systems.config import (
    CL2CMConfig,
    DualEncoderConfig,
    FeiConfig,
    PooledImageConfig,
    SingleStreamConfig,
    StreamTextConfig,
    TrunkConfig,
)
from polyglance.systems.fei import Fei
from polyglance.systems.translated import encode


@pytest.fixture
def fei(tmp_path: Path) -> Fei:
    """Pretrained, in ``tmp_path / "fei"``: its tables are no longer zero."""
    system = built_fei().eval()
    for parameter in system.stream.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    save_system(system, tmp_path / "fei")
    return system


def config(folder: Path, **keys: str) -> DualEncoderConfig:
    text = StreamTextConfig(start=folder / "fei", **keys)  # type: ignore[arg-type]
    return DualEncoderConfig(dimension=16, image=PooledImageConfig(backbone=TINY), text=text)


def texts_of(system: torch.nn.Module) -> StreamTextEncoder:
    encoder = system.get_submodule("text")
    assert isinstance(encoder, StreamTextEncoder)
    return encoder


def test_states_are_those_of_the_stream_without_a_picture(fei: Fei, tmp_path: Path) -> None:
    encoder = texts_of(build_system(config(tmp_path)).eval())
    inputs = encoder.prepare([*TEXTS, *GERMAN], ["en"] * 8 + ["de"] * 8)
    assert {name: t.tolist() for name, t in inputs.items()} == {
        name: t.tolist()
        for name, t in fei.prepare_texts([*TEXTS, *GERMAN], ["en"] * 8 + ["de"] * 8).items()
    }
    tokens = Tokens(**inputs)
    expected = fei.stream(fei.stream.embed_tokens(tokens), tokens.mask, None)
    with torch.no_grad():
        torch.testing.assert_close(encoder.stream(tokens), expected.tokens)
        pooled = (expected.tokens * tokens.mask[..., None]).sum(1) / tokens.mask.sum(1)[:, None]
        torch.testing.assert_close(encoder(inputs).embedding, encoder.head(pooled))


def test_the_first_token_may_stand_for_all(fei: Fei, tmp_path: Path) -> None:
    encoder = texts_of(build_system(config(tmp_path, pooling="first")).eval())
    inputs = encoder.prepare(TEXTS, ["en"] * 8)
    first = encoder.stream(Tokens(**inputs))[:, 0]
    torch.testing.assert_close(encoder(inputs).embedding, encoder.head(first))


@pytest.mark.usefixtures("fei")
def test_a_checkpoint_needs_the_first_one_no_longer(tmp_path: Path) -> None:
    system = build_system(config(tmp_path)).eval()
    save_system(system, tmp_path / "model")
    shutil.rmtree(tmp_path / "fei")
    loaded = load_checkpoint(tmp_path / "model").system
    inputs = system.prepare_texts(GERMAN, ["de"] * 8)
    assert torch.equal(
        loaded.encode_texts(loaded.prepare_texts(GERMAN, ["de"] * 8)).embedding,
        system.encode_texts(inputs).embedding,
    )
    (tmp_path / "model" / "stream.json").unlink()
    with pytest.raises(ModelError, match=r"stream\.json cannot be read"):
        load_checkpoint(tmp_path / "model")


@pytest.mark.usefixtures("fei")
def test_an_embedding_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    encoder = texts_of(build_system(config(tmp_path)).eval())
    together = encode(encoder, TEXTS, ["en"] * 8, words=True)
    for row, text in enumerate(TEXTS):
        alone = encode(encoder, [text], ["en"], words=True)
        torch.testing.assert_close(alone.embedding[0], together.embedding[row])
        own = alone.tokens[0, alone.mask[0]]
        torch.testing.assert_close(own, together.tokens[row, together.mask[row]])


@pytest.mark.usefixtures("fei")
def test_every_parameter_is_in_a_part_and_learns_from_translations(tmp_path: Path) -> None:
    plain = config(tmp_path)
    system = build_system(CL2CMConfig(dimension=16, image=plain.image, text=plain.text))
    in_parts = {id(p) for part in system.parts().values() for p in part.parameters()}
    assert in_parts == {id(p) for p in system.parameters()}
    torch.stack([*system.training_step(batch()).values()]).sum().backward()
    encoder = texts_of(system)
    untouched = {n for n, p in encoder.named_parameters() if p.grad is None or not p.grad.any()}
    assert untouched == set()


def test_only_a_single_stream_model_will_do(tmp_path: Path) -> None:
    from tests.systems.test_dual_encoder import TEXTS as OTHERS
    from tests.systems.test_dual_encoder import tiny

    save_system(build_system(tiny(), training_texts={"en": OTHERS}), tmp_path / "fei")
    with pytest.raises(ConfigError, match=r"system 'dual-encoder'; a pretrained \"fei\""):
        build_system(config(tmp_path))
    with pytest.raises(ModelError, match="no Polyglance checkpoint"):
        build_system(config(tmp_path / "nowhere"))


@pytest.mark.usefixtures("fei")
def test_weights_that_are_lost_are_named(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = tmp_path / "fei" / "model.safetensors"
    state = load_file(path)
    save_file({name: t for name, t in state.items() if name != "stream.languages"}, path)
    with pytest.raises(ModelError, match=r"lacks the weights stream\.languages"):
        build_system(config(tmp_path))


def test_a_pretrained_trunk_is_built_by_its_architecture(tmp_path: Path) -> None:
    trunk = TrunkConfig(name=pretrained(tmp_path), max_length=24)
    stream = SingleStreamConfig(trunk=trunk, visual=STREAM.visual, languages=("en", "de"))
    fei = built_fei(FeiConfig(backbone=TINY, stream=stream)).eval()
    save_system(fei, tmp_path / "fei")
    shutil.rmtree(tmp_path / "bert")
    encoder = texts_of(build_system(config(tmp_path)).eval())
    tokens = Tokens(**encoder.prepare(TEXTS, ["en"] * 8))
    expected = fei.stream(fei.stream.embed_tokens(tokens), tokens.mask, None).tokens
    torch.testing.assert_close(encoder.stream(tokens), expected)
