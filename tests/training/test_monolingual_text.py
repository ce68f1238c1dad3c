"""Sentences that stand alone in the loop: stopped and resumed, named by recipes, refused."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from tests.systems.tiny_clmr import tiny_clmr
from tests.training.tiny import TinySystem, tiny_config, tiny_pixels, tiny_records
from torch import Tensor

from polyglance.data.batch import Batch
from polyglance.data.dataset import TensorSource, stream
from polyglance.data.monolingual import MonolingualSampler
from polyglance.data.parallel import ParallelSampler
from polyglance.data.sampler import CaptionSampler
from polyglance.errors import ConfigError, ManifestError
from polyglance.training.log import read_log
from polyglance.training.loop import Trainer
from polyglance.training.recipe import Recipe, validate_recipe
from polyglance.training.texts import TextSources, make_monolingual, text_sources

SENTENCES = {"en": [f"word w{n}" for n in range(9)], "fr": [f"mot u{n}" for n in range(5)]}


class Reader(TinySystem):
    """Also brings every sentence's embedding near that of an empty one."""

    @property
    def learns_from(self) -> frozenset[str]:
        return frozenset({"monolingual"})

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.monolingual is not None
        sentences = batch.monolingual
        read = self.encode_texts(self.prepare_texts(sentences.texts, sentences.languages))
        return {**super().training_step(batch), "text": read.embedding.var()}


def monolingual(count: int = 9) -> MonolingualSampler:
    sentences = {**SENTENCES, "en": SENTENCES["en"][:count]}
    return MonolingualSampler(sentences, batch_size=4, seed=3)


def captions() -> CaptionSampler:
    return CaptionSampler(tiny_records(20), batch_size=8, seed=3)


def trainer(folder: Path, text: MonolingualSampler) -> tuple[Trainer, Reader]:
    torch.manual_seed(3)
    system = Reader()
    return Trainer(
        system,
        config=tiny_config(phases=[{"steps": 13, "learning_rate": 0.01}]),
        sampler=captions(),
        sources=lambda _split, _frozen: TensorSource(tiny_pixels(20)),
        validator=None,
        folder=folder,
        monolingual=text,
        show_progress=False,
    ), system


def test_every_batch_has_the_sentences_of_its_step() -> None:
    drawn, source = captions(), TensorSource(tiny_pixels(20))
    batches = stream(drawn, source, monolingual=monolingual())
    for step in range(7):
        state, batch = next(batches)
        drawn.state = state
        assert batch.monolingual == monolingual().batch(step)
        assert batch.parallel == ()
    batches.close()
    pairs = ParallelSampler([{"en": "a", "de": "b"}], pivot="en", batch_size=1)
    _, resumed = next(stream(drawn, source, monolingual=monolingual(), parallel=pairs))
    assert resumed.monolingual == monolingual().batch(7)
    assert resumed.parallel[0].pivots == ["a"]


def test_stopped_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole, uninterrupted = trainer(tmp_path / "whole", monolingual())
    whole.fit()
    first, stopping = trainer(tmp_path / "parts", monolingual())

    def interrupt() -> None:
        if first.progress.step + 1 == 6:
            os.kill(os.getpid(), signal.SIGINT)

    stopping.before_step = interrupt
    assert first.fit().signal == signal.SIGINT
    second, resumed = trainer(tmp_path / "parts", monolingual())
    assert second.fit().progress.finished
    one, other = uninterrupted.state_dict(), resumed.state_dict()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    losses = [
        [line["text"] for line in read_log(tmp_path / name / "log.jsonl") if "text" in line]
        for name in ("whole", "parts")
    ]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 13


def test_other_sentences_refuse_to_resume(tmp_path: Path) -> None:
    trainer(tmp_path, monolingual())[0].fit()
    with pytest.raises(ConfigError, match="monolingual text or its settings have changed"):
        trainer(tmp_path, monolingual(8))[0].fit()


def recipe(folder: Path, **settings: object) -> Recipe:
    table = {
        "name": "x",
        "data": {"train": str(folder / "train.jsonl"), "monolingual": settings},
        "model": {},
        "training": {"phases": [{"steps": 1}], "batch_size": 3, "seed": 2},
    }
    return validate_recipe(table, "x.toml")


def test_a_recipe_names_one_file_a_language_or_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXTS", str(tmp_path))
    (tmp_path / "en").write_text("one\ntwo\n\nthree\nfour\n")
    (tmp_path / "de").write_text("eins\n")
    (tmp_path / "more.de").write_text("zwei\n")
    files = {"en": "${TEXTS}/en", "de": ["${TEXTS}/de", "${TEXTS}/more.de"]}
    found = text_sources(recipe(tmp_path, train=files), {"train": []})
    assert found.languages == {"de", "en"}
    assert sorted(text for _, text in found.texts()) == [
        "eins",
        "four",
        "one",
        "three",
        "two",
        "zwei",
    ]
    assert found.monolingual is not None
    assert len(found.monolingual.batch(0).texts) == 3  # as many as pictures
    large = make_monolingual(
        recipe(tmp_path, train=files, batch_size=6, weights={"de": 1, "en": 1})
    )
    assert large is not None
    assert sorted(large.batch(0).languages) == ["de"] * 3 + ["en"] * 3


def test_what_is_wrong_with_a_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.monolingual\.train: missing|field required"):
        recipe(tmp_path)
    with pytest.raises(ConfigError, match=r"data\.monolingual\.train: .*at least 1 item"):
        recipe(tmp_path, train={})
    with pytest.raises(ManifestError, match=r"gone\.en: cannot be read"):
        make_monolingual(recipe(tmp_path, train={"en": str(tmp_path / "gone.en")}))


def test_a_system_that_does_not_read_them_refuses_them() -> None:
    pairs = ParallelSampler([{"en": "a", "de": "b"}], pivot="en", batch_size=1)
    TextSources(monolingual=monolingual()).check(Reader())
    TextSources(parallel=pairs).check(tiny_clmr())
    TextSources().check(TinySystem())
    with pytest.raises(ConfigError, match=r"data\.monolingual: this model does not learn"):
        TextSources(monolingual=monolingual(), parallel=pairs).check(tiny_clmr())
    with pytest.raises(ConfigError, match=r'data\.parallel: .* model\.system = "clmr"'):
        TextSources(parallel=pairs).check(Reader())
