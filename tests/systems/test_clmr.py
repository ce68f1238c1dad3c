"""CLMR against equation 8 written as loops; it learns translations, and counts its steps."""

from __future__ import annotations

import pytest
import torch
from tests.systems.tiny_clmr import tiny_clmr
from torch import Tensor

from polyglance.data.batch import Batch, TextPairs
from polyglance.data.parallel import ParallelSampler
from polyglance.losses.annealed_hinges import AnnealedHinges
from polyglance.losses.info_nce import InfoNCE
from polyglance.losses.max_of_hinges import MaxOfHinges
from polyglance.losses.sum_of_hinges import SumOfHinges
from polyglance.systems.cotrained import CoTrained

SENTENCES = [
    {"en": "a dog runs", "de": "ein Hund läuft", "fr": "un chien court"},
    {"en": "two cats", "de": "zwei Katzen", "fr": "deux chats"},
    {"en": "A dog runs.", "de": "ein Hund rennt", "fr": "un chien galope"},
    {"en": "red boat", "de": "rotes Boot"},
    {"en": "the sea", "de": "das Meer", "fr": "la mer"},
]


def batch(*, parallel: bool = True) -> Batch:
    generator = torch.Generator().manual_seed(1)
    pairs = ParallelSampler(SENTENCES, pivot="en", batch_size=5).batch(0) if parallel else ()
    return Batch(
        images=torch.randn(4, 8, generator=generator),
        image_ids=torch.tensor([3, 5, 7, 9]),
        texts=["a dog runs", "a cat", "the sea", "die See", "a ship"],
        languages=["en", "en", "en", "de", "en"],
        text_image_ids=torch.tensor([3, 5, 7, 7, 9]),
        parallel=pairs,
    )


def hinges(
    queries: list[Tensor], candidates: list[Tensor], same: list[list[bool]], worst: bool
) -> Tensor:
    """One direction of equations 4 to 7, pair by pair."""
    total = torch.zeros(())
    for i, query in enumerate(queries):
        for j, positive in enumerate(candidates):
            if same[i][j]:
                violations = [
                    torch.relu(0.2 - query @ positive + query @ negative)
                    for k, negative in enumerate(candidates)
                    if not same[i][k]
                ]
                total = total + (max(violations) if worst else sum(violations))
    return total


def naive(system: CoTrained, given: Batch, *, worst: bool) -> Tensor:
    """Equation 8: one sentence encoded at a time, 1/|L| over the languages translated into."""

    def encode(text: str, language: str) -> Tensor:
        return system.encode_texts(system.prepare_texts([text], [language])).embedding[0]

    def both(rows: list[Tensor], columns: list[Tensor], same: list[list[bool]]) -> Tensor:
        transposed = [list(column) for column in zip(*same, strict=True)]
        return hinges(rows, columns, same, worst) + hinges(columns, rows, transposed, worst)

    images = [system.encode_images(row[None]).embedding[0] for row in given.images]
    captions = [encode(*s) for s in zip(given.texts, given.languages, strict=True)]
    described = [[bool(i == c) for c in given.text_image_ids] for i in given.image_ids]
    total = both(images, captions, described)
    for language in ("de", "fr"):
        rows = [row for row in SENTENCES if language in row]
        folded = [row["en"].lower().rstrip(".") for row in rows]
        same = [[a == b for b in folded] for a in folded]
        pivots = [encode(row["en"], "en") for row in rows]
        translations = [encode(row[language], language) for row in rows]
        total = total + both(pivots, translations, same) / 2
    return total


@pytest.mark.parametrize("worst", [False, True], ids=["sum", "max"])
def test_equation_8_values_and_gradients(worst: bool) -> None:
    loss = MaxOfHinges if worst else SumOfHinges
    system = tiny_clmr(loss=loss(), text_loss=loss()).double()
    given = batch()
    given = Batch(
        given.images.double(), given.image_ids, given.texts, given.languages,
        given.text_image_ids, parallel=given.parallel,
    )  # fmt: skip
    terms = system.training_step(given)
    assert list(terms) == ["image_to_text", "text_to_image", "en-de", "en-fr"]
    parameters = list(system.parameters())
    total = torch.stack([*terms.values()]).sum()
    found = torch.autograd.grad(total, parameters)
    expected_total = naive(system, given, worst=worst)
    expected = torch.autograd.grad(expected_total, parameters)
    torch.testing.assert_close(total, expected_total)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_without_parallel_text_it_is_a_dual_encoder() -> None:
    system = tiny_clmr()
    assert list(system.training_step(batch(parallel=False))) == ["image_to_text", "text_to_image"]


def test_each_distinct_sentence_is_encoded_once() -> None:
    system = tiny_clmr()
    system.training_step(batch())
    prepared = system.text.prepared  # type: ignore[attr-defined]
    assert len(prepared) == len(set(prepared))
    assert prepared.count(("a dog runs", "en")) == 1  # a caption, and the pivot of two pairs
    assert ("die See", "de") in prepared
    assert len(prepared) == 5 + 3 + 5 + 4  # captions, further pivots, German, French


def test_a_sentence_is_no_negative_of_what_says_the_same() -> None:
    pairs = TextPairs(
        pivots=["a dog", "A dog.", "a cat", "a hen"],
        translations=["ein Hund", "der Hund", "eine Katze", "Eine Katze"],
        pivot_language="en",
        language="de",
        pivot_ids=torch.tensor([0, 0, 1, 2]),
        translation_ids=torch.tensor([0, 1, 2, 2]),
    )
    expected = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    assert pairs.positives.int().tolist() == expected


def test_the_text_loss_counts_one_step_however_many_the_languages() -> None:
    system = tiny_clmr(loss=AnnealedHinges(), text_loss=AnnealedHinges(eta=0.91))
    for _ in range(3):
        system.training_step(batch())
    assert int(system.text_loss.steps) == 3  # type: ignore[arg-type]
    assert system.text_loss.training
    system.training_step(batch(parallel=False))
    assert (int(system.loss.steps), int(system.text_loss.steps)) == (4, 3)  # type: ignore[arg-type]
    assert "text_loss.steps" in system.state_dict()
    system.eval().training_step(batch())
    assert int(system.text_loss.steps) == 3  # type: ignore[arg-type]


def test_the_gradient_reaches_every_part() -> None:
    system = tiny_clmr(loss=InfoNCE(), text_loss=InfoNCE())
    torch.stack([*system.training_step(batch()).values()]).sum().backward()
    assert set(system.parts()) == {
        "image.backbone", "image.head", "text.encoder", "loss", "loss.text"
    }  # fmt: skip
    assert [n for n, p in system.named_parameters() if p.grad is None] == []


def test_it_learns_translations_that_no_picture_shows() -> None:
    """Eight pictures with English captions; German comes from parallel text alone."""
    words = ["dog", "cat", "boat", "tree", "house", "sea", "bird", "car"]
    german = ["Hund", "Katze", "Schiff", "Baum", "Haus", "Meer", "Vogel", "Auto"]
    system = tiny_clmr(loss=InfoNCE(), text_loss=InfoNCE())
    rows = [{"en": f"one {a}", "de": f"ein {b}"} for a, b in zip(words, german, strict=True)]
    sampler = ParallelSampler(rows, pivot="en", batch_size=8)
    images = torch.eye(8)
    optimizer = torch.optim.Adam(system.parameters(), lr=0.05)
    for step in range(300):
        given = Batch(
            images=images,
            image_ids=torch.arange(8),
            texts=[f"one {word}" for word in words],
            languages=["en"] * 8,
            text_image_ids=torch.arange(8),
            parallel=sampler.batch(step),
        )
        optimizer.zero_grad()
        torch.stack([*system.training_step(given).values()]).sum().backward()
        optimizer.step()
    system.eval()
    encoded = system.encode_images(images)
    for texts, language in (
        ([f"one {w}" for w in words], "en"),
        ([f"ein {w}" for w in german], "de"),
    ):
        found = system.encode_texts(system.prepare_texts(texts, [language] * 8))
        assert system.score(encoded, found).argmax(0).tolist() == list(range(8))
