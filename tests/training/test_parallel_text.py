"""Co-training in the loop: parallel text beside pictures, stopped and resumed to the same bits."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from tests.systems.tiny_clmr import tiny_clmr
from tests.training.tiny import tiny_config, tiny_records

from polyglance.data.dataset import TensorSource, stream
from polyglance.data.parallel import ParallelSampler
from polyglance.data.record import Record
from polyglance.data.sampler import CaptionSampler
from polyglance.errors import ConfigError
from polyglance.losses.annealed_hinges import AnnealedHinges
from polyglance.losses.info_nce import InfoNCE
from polyglance.losses.max_of_hinges import MaxOfHinges
from polyglance.systems.cotrained import CoTrained
from polyglance.training.collapse import plateau_of_batch
from polyglance.training.log import read_log
from polyglance.training.loop import Trainer
from polyglance.training.recipe import Recipe, validate_recipe
from polyglance.training.texts import make_parallel

SENTENCES = [{"en": f"word w{n}", "de": f"wort v{n}", "fr": f"mot u{n}"} for n in range(11)]


def sampler(rows: int = 20, *, pictures: int = 8) -> CaptionSampler:
    return CaptionSampler(tiny_records(rows), batch_size=pictures, seed=3)


def parallel(count: int = 11) -> ParallelSampler:
    return ParallelSampler(SENTENCES[:count], pivot="en", batch_size=4, seed=3)


def pictures(count: int = 20) -> TensorSource:
    return TensorSource(torch.randn(count, 8, generator=torch.Generator().manual_seed(2)))


def trainer(folder: Path, *, text: ParallelSampler | None) -> tuple[Trainer, CoTrained]:
    system = tiny_clmr(loss=AnnealedHinges(), text_loss=AnnealedHinges(eta=0.91))
    return Trainer(
        system,
        config=tiny_config(phases=[{"steps": 13, "learning_rate": 0.01}]),
        sampler=sampler(),
        sources=lambda _split, _frozen: pictures(),
        validator=None,
        folder=folder,
        parallel=text,
        show_progress=False,
    ), system


def test_every_batch_has_the_sentences_of_its_step() -> None:
    drawn = sampler()
    batches = stream(drawn, pictures(), parallel=parallel())
    for step in range(7):
        state, batch = next(batches)
        drawn.state = state
        assert [p.pivots for p in batch.parallel] == [p.pivots for p in parallel().batch(step)]
    batches.close()
    _, resumed = next(stream(drawn, pictures(), parallel=parallel()))
    assert resumed.parallel[0].pivots == parallel().batch(7)[0].pivots


@pytest.mark.parametrize("stop_at", [1, 8])
def test_stopped_and_resumed_equals_uninterrupted(tmp_path: Path, stop_at: int) -> None:
    whole, uninterrupted = trainer(tmp_path / "whole", text=parallel())
    whole.fit()

    first, stopping = trainer(tmp_path / "parts", text=parallel())

    def interrupt(*_: object) -> None:
        if first.progress.step + 1 == stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    stopping.image.register_forward_pre_hook(interrupt)
    assert first.fit().signal == signal.SIGINT
    second, resumed = trainer(tmp_path / "parts", text=parallel())
    assert second.fit().progress.finished
    one, other = uninterrupted.state_dict(), resumed.state_dict()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    assert int(other["text_loss.steps"]) == 13
    losses = [
        [(x["en-de"], x["en-fr"]) for x in read_log(tmp_path / name / "log.jsonl") if "loss" in x]
        for name in ("whole", "parts")
    ]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 13


def test_other_sentences_refuse_to_resume(tmp_path: Path) -> None:
    trainer(tmp_path, text=parallel())[0].fit()
    with pytest.raises(ConfigError, match="parallel text or its settings have changed"):
        trainer(tmp_path, text=parallel(10))[0].fit()


def test_the_plateau_of_a_batch_counts_its_parallel_text() -> None:
    system = tiny_clmr(loss=MaxOfHinges(), text_loss=MaxOfHinges())
    _, batch = next(stream(sampler(), pictures(), parallel=parallel()))
    pairs, sentences = len(batch.texts), len(batch.parallel[0].pivots)
    # 2·B·α of VSE++ once for the pictures, and once for the mean over languages.
    assert plateau_of_batch(system, batch) == pytest.approx(2 * 0.2 * (pairs + sentences))
    system = tiny_clmr(loss=InfoNCE(), text_loss=InfoNCE())
    _, alone = next(stream(sampler(), pictures()))
    assert plateau_of_batch(system, alone) == pytest.approx(torch.tensor(pairs).log().item())


def recipe(folder: Path, **settings: object) -> Recipe:
    table = {
        "name": "x",
        "data": {"train": str(folder / "train.jsonl"), "parallel": settings},
        "model": {},
        "training": {"phases": [{"steps": 1}], "batch_size": 5, "seed": 2},
    }
    return validate_recipe(table, "x.toml")


def test_a_recipe_names_files_and_the_manifests_own_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXTS", str(tmp_path))
    (tmp_path / "en").write_text("one\ntwo\nthree\n")
    (tmp_path / "de").write_text("eins\nzwei\ndrei\n")
    (tmp_path / "fr").write_text("un\ndeux\ntrois\n")
    files = {"en": "${TEXTS}/en", "de": "${TEXTS}/de"}
    said = {"en": "a dog", "cs": "pes"}
    records = {
        "train": [Record(id="a", parallel=said), Record(id="b", parallel=said), Record(id="c")],
        "validation": [Record(id="b")],
    }

    def drawn(**settings: object) -> dict[str, int]:
        found = make_parallel(recipe(tmp_path, **settings), records)  # type: ignore[arg-type]
        assert found is not None
        return {pairs.language: len(pairs.pivots) for pairs in found.batch(0)}

    assert drawn(train=files) == {"de": 3}
    assert drawn(train=files, manifest=True) == {"de": 3, "cs": 1}  # b is held back, c has none
    assert drawn(train=files, manifest=True, languages=["cs"]) == {"cs": 1}
    both = [files, {"en": "${TEXTS}/en", "fr": "${TEXTS}/fr"}]
    assert drawn(train=both, batch_size=6) == {"de": 3, "fr": 3}
    found = make_parallel(recipe(tmp_path, train=both), records)  # type: ignore[arg-type]
    assert found is not None
    assert len({text for p in found.batch(0) for text in p.translations}) < 6  # batches of 5
    assert found.languages == ("en", "de", "fr")


def test_parallel_text_without_sentences_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.parallel: .*give train .*manifest = true"):
        recipe(tmp_path)
    with pytest.raises(ConfigError, match="no sentence in 'en' has a translation"):
        make_parallel(recipe(tmp_path, manifest=True), {"train": [Record(id="a")]})
