"""Systems over translations as dual encoders: what is saved of them, costs and learns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.systems.naive_translated import (
    check_gradients,
    described,
    double,
    hinges,
    one_by_one,
)
from tests.systems.tiny_translated import TARGETS, TEXTS, Config, batch, built, tiny

from polyglance.errors import ConfigError
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import CONFIG, load_changed, load_checkpoint, save_system
from polyglance.systems.config import (
    AnnealedHingesConfig,
    CL2CMConfig,
    DistilledConfig,
    FrozenTransformerTextConfig,
    NRCCRConfig,
    TokenizerConfig,
    TransformerTextConfig,
)
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.systems.translated import as_dual_encoder, encode
from polyglance.training.phases import freeze

SYSTEMS = [NRCCRConfig, CL2CMConfig, DistilledConfig]
every_system = pytest.mark.parametrize("system", SYSTEMS, ids=["nrccr", "cl2cm", "distilled"])


def parameters(system: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in system.parameters())


@every_system
def test_a_checkpoint_is_the_plain_dual_encoder(system: type[Config], tmp_path: Path) -> None:
    config = tiny(system)
    trained = built(config).eval()
    save_system(trained, tmp_path / "model", languages=["de", "en"])
    described = json.loads((tmp_path / "model" / CONFIG).read_text())
    assert described["model"]["system"] == "dual-encoder"
    loaded = load_checkpoint(tmp_path / "model").system
    plain = build_system(as_dual_encoder(config), training_texts={"en": TEXTS})
    assert type(loaded) is DualEncoder
    assert loaded.state_dict().keys() == plain.state_dict().keys()
    assert parameters(loaded) == parameters(plain)
    inputs = loaded.prepare_texts(TARGETS, ["de"] * 5)
    found, wanted = loaded.encode_texts(inputs), trained.encode_texts(inputs)
    assert torch.equal(found.embedding, wanted.embedding)
    assert found.tokens is None
    pixels = batch().images
    assert torch.equal(
        loaded.encode_images(pixels).embedding, trained.encode_images(pixels).embedding
    )


@every_system
def test_encoding_runs_what_the_plain_one_runs(system: type[Config]) -> None:
    """The same modules, in the same order, with inputs of the same shapes: the same cost."""

    def calls(encoder: DualEncoder) -> list[tuple[str, tuple[int, ...]]]:
        seen: list[tuple[str, tuple[int, ...]]] = []
        hooks = [
            module.register_forward_pre_hook(
                lambda module, given: seen.extend(
                    (type(module).__name__, tuple(each.shape))
                    for each in given
                    if isinstance(each, torch.Tensor)
                )
            )
            for module in encoder.modules()
        ]
        with torch.no_grad():
            encoder.encode_texts(encoder.prepare_texts(TARGETS, ["de"] * 5))
            encoder.encode_images(batch().images)
        for hook in hooks:
            hook.remove()
        return seen

    config = tiny(system)
    trained = built(config)
    trained.training_step(batch(back=True))  # after which nothing stays behind
    torch.manual_seed(0)
    plain = build_system(as_dual_encoder(config), training_texts={"en": TEXTS})
    assert isinstance(plain, DualEncoder)
    assert calls(trained) == calls(plain) == calls(trained.for_use())


@every_system
def test_training_goes_on_from_a_checkpoint_and_from_a_plain_one(
    system: type[Config], tmp_path: Path
) -> None:
    config = tiny(system)
    save_system(built(config), tmp_path / "model")
    changed = load_changed(tmp_path / "model", config)
    assert not changed.unused
    only_trains = ("noise_filter.", "adversary.", "teacher.", "sentence_loss.")
    assert all(name.startswith(only_trains) for name in changed.fresh)
    assert bool(changed.fresh) == (system is not DistilledConfig)
    assert changed.system.training_step(batch())


@every_system
def test_it_learns(system: type[Config]) -> None:
    learner = built(tiny(system))
    freeze(learner, ["image.backbone"])
    optimizer = torch.optim.Adam(
        [each for each in learner.parameters() if each.requires_grad], lr=1e-2
    )
    given = batch(back=True)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = torch.stack([*learner.training_step(given).values()]).sum()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    learner.eval()
    with torch.no_grad():
        translations = learner.encode_texts(learner.prepare_texts(TARGETS, ["de"] * 5))
        images = learner.encode_images(given.images)
    assert learner.score(images, translations).argmax(0).tolist() == [0, 1, 2, 0, 3]


@every_system
def test_a_batch_without_translations_is_refused(system: type[Config]) -> None:
    with pytest.raises(ConfigError, match=r"data\.translated"):
        built(tiny(system)).training_step(replace(batch(), translated=None))


@every_system
def test_a_loss_that_counts_its_steps_counts_one_a_step(system: type[Config]) -> None:
    learner = built(tiny(system, loss=AnnealedHingesConfig()))
    for _ in range(3):
        learner.training_step(batch(back=True))
    assert int(learner.loss.steps) == 3  # type: ignore[arg-type]


@every_system
def test_parts_cover_every_parameter(system: type[Config]) -> None:
    learner = built(tiny(system))
    in_parts = {id(p) for part in learner.parts().values() for p in part.parameters()}
    assert in_parts == {id(p) for p in learner.parameters()}
    assert "loss" not in learner.parts()  # whose plateau would not be that of all terms


def test_distilled_against_loops() -> None:
    system = double(built(tiny(DistilledConfig, distillation_weight=0.3, source_weight=2.0)))
    given = batch()
    each = one_by_one(system, given)
    pairs = zip(each.sources, each.targets, strict=True)
    distance = sum(((target - source.detach()) ** 2).sum() for source, target in pairs)
    expected = {
        "distillation": 0.3 * distance / 5,
        "source": 2.0 * hinges(each.images, each.sources, described()),
    }
    terms = system.training_step(given)
    assert list(terms) == list(expected)
    for name, value in expected.items():
        check_gradients(terms[name], value, system)


TRANSFORMER = TransformerTextConfig(
    tokenizer=TokenizerConfig(vocabulary_size=300, min_frequency=1),
    layers=1,
    width=32,
    heads=2,
    dropout=0.0,
)


@pytest.mark.parametrize("system", [NRCCRConfig, CL2CMConfig], ids=["nrccr", "cl2cm"])
def test_any_text_encoder_with_words_will_do(system: type[Config]) -> None:
    terms = built(tiny(system, text=TRANSFORMER)).training_step(batch())
    assert all(torch.isfinite(term) for term in terms.values())
    from polyglance.text.frozen_transformer import FrozenTransformerTextEncoder

    assert FrozenTransformerTextEncoder.has_words
    assert FrozenTransformerTextConfig(name="any").kind == "frozen-transformer"


@pytest.mark.parametrize("keys", [{}, {"text": TRANSFORMER}], ids=["recurrent", "transformer"])
def test_keeping_words_changes_no_embedding_and_does_not_last(keys: dict[str, Any]) -> None:
    text = built(tiny(DistilledConfig, **keys)).eval().text
    with_words = encode(text, TARGETS, ["de"] * 5, words=True)
    without = encode(text, TARGETS, ["de"] * 5, words=False)
    torch.testing.assert_close(with_words.embedding, without.embedding)
    assert with_words.tokens is not None
    assert without.tokens is None
    assert not text.keep_tokens


@every_system
def test_half_precision_gives_nearly_the_same_loss(system: type[Config]) -> None:
    learner = built(tiny(system)).eval()
    terms = learner.training_step(batch(back=True))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = learner.training_step(batch(back=True))
    for name, term in terms.items():
        torch.testing.assert_close(rounded[name].float(), term, rtol=0.05, atol=0.02)
    torch.stack([*rounded.values()]).sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in learner.parameters())
