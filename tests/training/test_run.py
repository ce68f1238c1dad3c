"""`polyglance train`, run as a user runs it, on a system small enough for a test."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from polyglance.cli.train import train
from polyglance.data.locking import only_writer
from polyglance.data.manifest import read_manifest
from polyglance.errors import ConfigError, ModelError, PolyglanceError, TrainingError
from polyglance.retriever import Retriever
from polyglance.systems.checkpoint import load_checkpoint
from polyglance.training.adapt import adapt
from polyglance.training.checkpoint import read_progress
from polyglance.training.log import read_log
from support.squares import COLOURS, GERMAN, write_squares


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe over pictures of coloured squares, one of them broken."""
    monkeypatch.setenv("TINY", str(tmp_path))
    monkeypatch.setenv("POLYGLANCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return write_squares(tmp_path)


def run(*arguments: str | Path) -> str:
    app = typer.Typer()
    app.command()(train)
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)
    if isinstance(result.exception, PolyglanceError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_a_recipe_becomes_a_model_with_a_card(recipe: Path) -> None:
    output = run(recipe)
    assert "finished after 12 steps" in output
    assert "skipped 1 pictures" in output
    assert "train5.png" in output
    folder = Path("runs/colours")
    retriever = Retriever.load(folder / "model")
    assert retriever.languages == ("de", "en")
    pictures = retriever.encode_images(["val0.png", "val1.png"])
    assert pictures.shape == (2, 16)
    card = (folder / "model" / "card.md").read_text("utf-8")
    assert "val.jsonl" in card
    assert "| en | 1.0 |" in card
    lines = read_log(folder / "log.jsonl")
    assert [line["step"] for line in lines if line["event"] == "evaluation"] == [3, 6, 9, 12]
    report = json.loads((folder / "report.json").read_text())
    best = max(line["mean_recall"] for line in lines if line["event"] == "evaluation")
    assert report["mean"]["mean_recall"] == pytest.approx(best, abs=1e-6)

    assert "was finished already after 12 steps" in run(recipe)
    again = run(recipe, "--no-resume", "--set", "training.phases.1.epochs=1")
    assert "finished after 9 steps" in again


def test_a_language_that_is_not_trained_on_is_measured_and_chooses_nothing(recipe: Path) -> None:
    run(recipe, "--set=data.languages={en = 1}", "--set=data.zero_shot=['de']")
    folder = Path("runs/colours")
    measured = [line for line in read_log(folder / "log.jsonl") if line["event"] == "evaluation"]
    assert all(set(line["languages"]) == {"en"} for line in measured)
    report = json.loads((folder / "report.json").read_text())
    assert set(report["languages"]) == {"de", "en"}
    assert Retriever.load(folder / "model").languages == ("en",)
    assert "Never trained on: de." in (folder / "model" / "card.md").read_text("utf-8")


def test_a_kill_between_training_and_the_model_costs_nothing(recipe: Path) -> None:
    short = ["--set=training.phases=[{steps = 3, learning_rate = 0.1}]", "--output", "here"]
    table = recipe.read_text("utf-8")
    recipe.write_text(table.replace('validation = "${TINY}/val.jsonl"\n', ""), "utf-8")
    run(recipe, *short)
    before = load_checkpoint(Path("here/model"))
    shutil.rmtree("here/model")
    assert "finished after 3 steps" in run(recipe, *short)
    assert load_checkpoint(Path("here/model")).fingerprint == before.fingerprint
    assert "Nothing was measured" in Path("here/model/card.md").read_text("utf-8")


def test_another_recipe_in_the_same_folder_is_refused(recipe: Path) -> None:
    run(recipe, "--output", "here", "--set", "training.phases=[{steps = 1}]")
    with pytest.raises(TrainingError, match=r"different: training\.phases"):
        run(recipe, "--output", "here")
    with pytest.raises(TrainingError, match=r"\(different: training\.seed\)"):
        run(
            recipe, "--output", "here", "--set=training.phases=[{steps=1}]", "--set=training.seed=4"
        )


def test_nothing_is_thrown_away_for_a_run_that_cannot_start(recipe: Path) -> None:
    run(recipe, "--set", "training.phases=[{steps = 1}]")
    folder = Path("runs/colours")
    before = sorted(folder.rglob("*"))
    with pytest.raises(PolyglanceError, match=r"absent\.jsonl"):
        run(recipe, "--no-resume", "--set", "data.train=absent.jsonl")
    with (
        only_writer(folder, TrainingError),
        pytest.raises(TrainingError, match="is being written by process"),
    ):
        run(recipe, "--no-resume")
    assert sorted(folder.rglob("*")) == before
    assert "was finished already" in run(recipe, "--set", "training.phases=[{steps = 1}]")


def test_cached_features_train_to_the_same_as_pixels(recipe: Path) -> None:
    one_phase = "training.phases=[{steps = 4, frozen = ['image.backbone'], learning_rate = 0.01}]"
    run(recipe, "--output", "cached", "--set", one_phase)
    run(recipe, "--output", "pixels", "--set", one_phase, "--set=training.cache_features=false")
    states = [load_checkpoint(Path(f) / "model").system.state_dict() for f in ("cached", "pixels")]
    for name, tensor in states[0].items():
        # Features are stored in half precision and computed in bfloat16 where that is fast.
        assert torch.allclose(tensor.float(), states[1][name].float(), atol=0.03), name
    stores = list(Path("cache/features").iterdir())
    assert len(stores) == 1


PROGRAM = """
import sys, typer
from polyglance.cli.train import train
app = typer.Typer(pretty_exceptions_enable=False)
app.command()(train)
app()
"""


def test_ctrl_c_says_how_to_go_on(recipe: Path) -> None:
    long = ["--set", "training.phases.1.epochs=400", "--set", "training.evaluate_every=100000"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(recipe), *long],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    log = Path("runs/colours/log.jsonl")
    deadline = time.monotonic() + 60
    while not (log.exists() and len(read_log(log)) > 12):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "the same command goes on from there" in output
    step = read_progress(Path("runs/colours/last.safetensors"))["run"]["step"]
    assert f"stopped at step {step}, saved in runs/colours" in output
    assert not Path("runs/colours/model").exists()


def test_one_command_trains_on_two_devices(recipe: Path) -> None:
    phases = "--set=training.phases=[{steps = 4, frozen = ['image.backbone']}]"
    Path("program.py").write_text(PROGRAM, "utf-8")  # further processes run it again
    ended = subprocess.run(
        [sys.executable, "program.py", str(recipe), phases, "--set=training.devices=2"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=170,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("finished after 4 steps") == 1
    assert read_log(Path("runs/colours/log.jsonl"))[0]["devices"] == "2 × cpu"
    assert Retriever.load("runs/colours/model").languages == ("de", "en")
    assert "was finished already after 4 steps" in run(recipe, phases)


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("model.dimensions=3", ConfigError, "dimensions: no such key"),
        ("data.languages={xx = 1}", ConfigError, "'xx'; languages present: de, en"),
        ("data.zero_shot=['de']", ConfigError, "de is trained on"),
        ("data.train=absent.jsonl", PolyglanceError, r"absent\.jsonl"),
        ("training.phases.0.frozen=['image.back']", ConfigError, "image.back"),
        ("model={checkpoint = 'nowhere'}", ModelError, "nowhere"),
        ("model={checkpoint = 'mini', dimension = 3}", ConfigError, "dimension: no such key"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    recipe: Path, override: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(recipe, "--set", override)
    assert not Path("runs/colours/last.safetensors").exists()
    assert "finished after" in run(recipe, "--set=training.phases=[{steps = 1}]")  # mended


def test_a_trained_model_goes_on_under_another_loss(recipe: Path) -> None:
    run(recipe, "--set=training.phases=[{steps = 1}]", "--set=model.loss={kind = 'info_nce'}")
    changed = "model={checkpoint = 'runs/colours/model', loss = {kind = 'sum_of_hinges'}}"
    told = run(recipe, "--output=further", "--set", changed)
    assert "runs/colours/model: is left behind: loss" in told
    before, after = (
        load_checkpoint(Path(f"{f}/model")).system for f in ("runs/colours", "further")
    )
    assert after.config.loss.kind == "sum_of_hinges"
    assert after.config.text == before.config.text


def test_a_trained_model_is_adapted_by_recipe_and_from_python(recipe: Path) -> None:
    run(recipe, "--set=training.phases=[{steps = 1}]")
    before = load_checkpoint(Path("runs/colours/model")).system
    recipe.write_text(
        '[data]\ntrain = "train.jsonl"\nvalidation = "val.jsonl"\nlanguages = { en = 1 }\n'
        '[model]\ncheckpoint = "runs/colours/model"\n[training]\nbatch_size = 8\n'
        '[[training.phases]]\nsteps = 3\nfrozen = ["image.backbone"]\n'
    )
    assert "finished after 3 steps" in run(recipe, "--output", "adapted")
    after = load_checkpoint(Path("adapted/model")).system
    head, backbone = "image.head.layers.1.weight", "image.backbone"
    assert not torch.equal(before.state_dict()[head], after.state_dict()[head])
    for name, tensor in before.state_dict().items():
        if name.startswith(backbone):
            assert torch.equal(tensor, after.state_dict()[name])

    records = read_manifest("train.jsonl")
    adapted = adapt(
        before,
        records,
        languages=["en", "de"],
        frozen=["image.backbone"],
        steps=80,
        learning_rate=0.01,
        show_progress=False,
    )
    assert adapted is before
    assert not adapted.training
    retriever = Retriever(adapted, name="adapted", fingerprint="x")
    queries = retriever.encode_texts([f"ein Quadrat in {GERMAN[name]}" for name in COLOURS])
    pictures = retriever.encode_images([f"val{n}.png" for n in range(9)])
    assert (retriever.similarity(queries, pictures).argmax(axis=1) % 3).tolist() == [0, 1, 2]
