"""All tasks together: their terms, what they reach, and that eight captions can be learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from tests.pretraining.tiny import (
    CLASSES,
    ENGLISH,
    GERMAN,
    WIDTH,
    tiny_batch,
    tiny_regions,
    tiny_stream,
    tiny_tokenizer,
)
from torch import Tensor

from polyglance.data.batch import Batch
from polyglance.errors import ConfigError
from polyglance.pretraining.masking import mask_regions
from polyglance.pretraining.mlm import masked_language_model
from polyglance.pretraining.tasks import TASKS, PretrainingTasks, turned, word_masking
from polyglance.single_stream.stream import SingleStream
from polyglance.single_stream.tokens import PairTokenizer

ALL = dict.fromkeys(TASKS, 1.0)


@pytest.fixture(scope="module")
def tokenizer() -> PairTokenizer:
    return tiny_tokenizer()


def tasks_of(
    tokenizer: PairTokenizer, weights: Mapping[str, float], *, classes: int | None = CLASSES
) -> PretrainingTasks:
    torch.manual_seed(4)
    return PretrainingTasks(
        tokenizer=tokenizer,
        width=WIDTH,
        vocabulary_size=len(tokenizer.tokenizer),
        weights=weights,
        classes=classes,
    )


def losses(tasks: PretrainingTasks, stream: SingleStream, batch: Batch) -> dict[str, Tensor]:
    """Of a step with the same draws each time."""
    torch.manual_seed(0)
    terms: dict[str, Tensor] = tasks(stream, batch, tiny_regions(len(batch.images)))
    return terms


def test_eight_captions_are_learned_and_for_the_right_reasons(tokenizer: PairTokenizer) -> None:
    stream, tasks, batch = tiny_stream(tokenizer), tasks_of(tokenizer, ALL), tiny_batch()
    learned = [*stream.parameters(), *tasks.parameters()]
    optimizer = torch.optim.Adam(learned, lr=0.015)
    before = losses(tasks, stream, batch)
    assert list(before) == list(TASKS)
    for _ in range(34):
        optimizer.zero_grad()
        torch.stack([*losses(tasks, stream, batch).values()]).sum().backward()
        optimizer.step()
    after = losses(tasks, stream, batch)
    for name, loss in before.items():
        assert after[name] < 0.2 * loss, name
    # A caption is recovered from its own picture, a sentence from its own translation.
    other_pictures = replace(batch, text_image_ids=batch.text_image_ids.roll(1))
    assert losses(tasks, stream, other_pictures)["cmtr"] > 3 * after["cmtr"]
    (pairs,) = batch.parallel
    wrong = replace(pairs, translations=[*pairs.translations[1:], pairs.translations[0]])
    assert losses(tasks, stream, replace(batch, parallel=(wrong,)))["cltr"] > 3 * after["cltr"]


# What each task cannot teach: where there is no picture, what embeds pictures; and so on.
VISUAL = ("visual.", "region_word", "end_word")
UNTAUGHT = {
    "mlm": ("no_picture", "tasks.mrc", "tasks.cmtr", "tasks.cltr"),
    "mrc": ("no_picture", "tasks.prediction", "tasks.cmtr", "tasks.cltr"),
    # Only regions and not the whole picture, nor the place of a region in a sequence.
    "cmtr": ("visual.whole_norm", "visual.hidden", "region_word", "end_word"),
    "text_mlm": VISUAL,
    "tlm": VISUAL,
    "cltr": VISUAL,
}


@pytest.mark.parametrize("task", TASKS)
def test_gradient_reaches_what_a_task_teaches(tokenizer: PairTokenizer, task: str) -> None:
    stream, tasks = tiny_stream(tokenizer), tasks_of(tokenizer, {task: 1.0})
    (loss,) = losses(tasks, stream, tiny_batch()).values()
    loss.backward()
    parameters = [*stream.named_parameters()]
    parameters += [(f"tasks.{name}", p) for name, p in tasks.named_parameters()]
    missing = {name for name, p in parameters if p.grad is None or not p.grad.any()}
    allowed = UNTAUGHT[task]
    if task == "mlm":  # nothing is hidden where nothing is classified
        allowed = (*allowed, "visual.hidden")
    missing = {name for name in missing if not name.endswith("key.bias")}  # a softmax ignores it
    assert {name for name in missing if not name.startswith(allowed)} == set()
    taught = {name for name, _ in parameters if name.startswith(allowed)}
    assert taught <= missing  # and the list above is no longer than it has to be


def test_together_they_teach_everything(tokenizer: PairTokenizer) -> None:
    stream, tasks = tiny_stream(tokenizer), tasks_of(tokenizer, ALL)
    torch.stack([*losses(tasks, stream, tiny_batch()).values()]).sum().backward()
    for module in (stream, tasks):
        untaught = {n for n, p in module.named_parameters() if p.grad is None or not p.grad.any()}
        assert {name for name in untaught if not name.endswith("key.bias")} == set()


def test_weights_scale_terms_and_zero_leaves_a_task_out(tokenizer: PairTokenizer) -> None:
    stream, batch = tiny_stream(tokenizer), tiny_batch()
    whole = losses(tasks_of(tokenizer, ALL), stream, batch)
    half = losses(tasks_of(tokenizer, dict.fromkeys(TASKS, 0.5)), stream, batch)
    assert {name: 0.5 * loss for name, loss in whole.items()} == half
    some = tasks_of(tokenizer, {"cltr": 2.0, "mlm": 1.0, "cmtr": 0.0})
    assert list(losses(some, stream, batch)) == ["mlm", "cltr"]
    assert {name.split(".")[0] for name, _ in some.named_parameters()} == {"prediction", "cltr"}
    assert some.sources == {"parallel"}
    assert tasks_of(tokenizer, {"mlm": 1.0}).sources == frozenset()
    assert tasks_of(tokenizer, ALL).sources == {"parallel", "monolingual"}


def test_words_and_regions_are_hidden_in_one_pass(tokenizer: PairTokenizer) -> None:
    stream, batch, regions = tiny_stream(tokenizer), tiny_batch(), tiny_regions()
    tasks = tasks_of(tokenizer, ALL)
    found = losses(tasks, stream, batch)
    torch.manual_seed(0)
    chosen, hidden = mask_regions(regions.mask)
    loss, states = masked_language_model(
        stream,
        tasks.prediction,
        word_masking(tokenizer.tokenizer),
        tokens=tokenizer.single(batch.texts, batch.languages),
        images=stream.embed_regions(regions, hidden=hidden),
    )
    assert found["mlm"] == loss
    assert tasks.mrc is not None
    assert found["mrc"] == tasks.mrc(states.regions, regions.probabilities, chosen)


def test_captions_find_their_pictures_by_id(tokenizer: PairTokenizer) -> None:
    """Several captions of a picture, in any order, as if each stood beside a copy of it."""
    stream, tasks = tiny_stream(tokenizer), tasks_of(tokenizer, {"cmtr": 1.0})
    regions, rows = tiny_regions(3), torch.tensor([2, 0, 2, 1])
    ids = torch.tensor([70, 50, 60])
    batch = Batch(
        images=torch.zeros(3, 1),
        image_ids=ids,
        texts=ENGLISH[:4],
        languages=["en"] * 4,
        text_image_ids=ids[rows],
    )
    copies = replace(batch, image_ids=torch.arange(4), text_image_ids=torch.arange(4))
    torch.testing.assert_close(
        tasks(stream, batch, regions), tasks(stream, copies, regions.rows(rows))
    )


def test_pairs_of_all_languages_are_one_batch_turned_either_way() -> None:
    torch.manual_seed(0)
    (german,) = tiny_batch().parallel
    czech = replace(german, translations=[f"věta {n}" for n in range(8)], language="cs")
    ways: set[tuple[str, str]] = set()
    for _ in range(20):
        first, second = turned([german, czech])
        assert len(first.texts) == 16
        for row, pair in enumerate(zip(first.texts, second.texts, strict=True)):
            foreign = GERMAN[row] if row < 8 else f"věta {row - 8}"
            assert set(pair) == {ENGLISH[row % 8], foreign}
            tags = first.languages[row], second.languages[row]
            assert (pair[0] == foreign) == (tags[1] == "en")
            ways.add(tags)
    assert ways == {("en", "de"), ("de", "en"), ("en", "cs"), ("cs", "en")}


def test_half_precision_gives_nearly_the_same(tokenizer: PairTokenizer) -> None:
    stream, tasks, batch = tiny_stream(tokenizer), tasks_of(tokenizer, ALL), tiny_batch()
    exact = losses(tasks, stream, batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = losses(tasks, stream, batch)
    for name, loss in exact.items():
        assert rough[name].dtype == torch.float32
        torch.testing.assert_close(rough[name], loss, rtol=0.03, atol=0.03)


def test_a_missing_source_is_named(tokenizer: PairTokenizer) -> None:
    stream, tasks = tiny_stream(tokenizer), tasks_of(tokenizer, ALL)
    with pytest.raises(ConfigError, match=r"text_mlm learn.* monolingual .*\[data\.monolingual\]"):
        losses(tasks, stream, replace(tiny_batch(), monolingual=None))
    with pytest.raises(ConfigError, match=r"tlm and cltr learn from parallel text"):
        losses(tasks, stream, replace(tiny_batch(), parallel=()))


def test_impossible_weights_are_refused(tokenizer: PairTokenizer) -> None:
    for weights, told in (
        ({"mlm": -1.0}, r"weights\.mlm = -1\.0"),
        ({"mlm": float("nan")}, r"weights\.mlm = nan"),
        ({"mlmm": 1.0}, r"weights\.mlmm = 1\.0: a task is one of mlm, mrc, cmtr, text_mlm"),
        ({"mlm": 0.0}, "no task has a weight"),
    ):
        with pytest.raises(ConfigError, match=told):
            tasks_of(tokenizer, weights)
    with pytest.raises(ConfigError, match=r"weights\.mrc: the regions have no class probabilities"):
        tasks_of(tokenizer, ALL, classes=None)
    without = {**ALL, "mrc": 0.0}
    tasks = tasks_of(tokenizer, without, classes=None)
    assert "mrc" not in losses(tasks, tiny_stream(tokenizer), tiny_batch())
