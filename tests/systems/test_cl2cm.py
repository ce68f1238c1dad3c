"""CL2CM's terms against loops over pairs, whom its teacher teaches, and what teachers there are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.losses.test_optimal_transport import naive_loss
from tests.systems.naive_translated import (
    Each,
    check_gradients,
    described,
    double,
    hinges,
    one_by_one,
    pictures,
    relations,
)
from tests.systems.tiny_translated import PICTURES, batch, built, tiny
from torch import Tensor

from polyglance.errors import ConfigError
from polyglance.systems import cl2cm
from polyglance.systems.cl2cm import CL2CM, trusted_pairs
from polyglance.systems.config import (
    CL2CMConfig,
    LearnedWordsConfig,
    MaxOfHingesConfig,
    RecurrentTextConfig,
    SentenceTextConfig,
)
from polyglance.systems.translated import TranslationLearner
from polyglance.text.recurrent import RecurrentTextEncoder

OTHER = RecurrentTextConfig(
    words=LearnedWordsConfig(min_frequency=1, dimension=7), hidden_size=9, pooling="mean"
)
WEIGHTS = {"target_weight": 0.7, "sentence_weight": 0.3, "word_weight": 1.1}


def info_nce(rows: list[Tensor], columns: list[Tensor]) -> Tensor:
    """Each positive against the negatives of its row, and of its column, at 1/.07."""
    total = torch.zeros((), dtype=torch.float64)
    for one, other in ((rows, columns), (columns, rows)):
        for i, query in enumerate(one):
            scores = [query @ each / 0.07 for each in other]
            same = [PICTURES[i] == picture for picture in PICTURES]
            false = sum(torch.exp(s) for s, p in zip(scores, same, strict=True) if not p)
            true = [s for s, p in zip(scores, same, strict=True) if p]
            for score in true:
                share = torch.exp(score) / (torch.exp(score) + false)
                total = total - torch.log(share) / len(true) / len(one) / 2
    return total


def naive(system: TranslationLearner, each: Each, taught: Each, its: float) -> dict[str, Tensor]:
    images = [each.images[row] for row in pictures()]
    teacher = [[s @ t for t in taught.targets] for s in taught.sources]
    student = [[v @ t for t in each.targets] for v in images]
    costs = [
        naive_loss(source, target, 0.1, 20)
        for source, target in zip(taught.source_words, taught.target_words, strict=True)
    ]
    return {
        "target": 0.7 * hinges(each.images, each.targets, described()),
        "sentences": 0.3 * info_nce(taught.sources, taught.targets),
        "words": 1.1 * sum(costs) / 5,
        "relations": 1.0 * relations(teacher, student, its),
        "source": 1.0 * hinges(each.images, each.sources, described()),
    }


@pytest.mark.parametrize("teacher", ["own", "shared", OTHER], ids=["own", "shared", "other"])
def test_values_and_gradients_against_loops(teacher: object) -> None:
    config = tiny(CL2CMConfig, teacher=teacher, teacher_temperature=0.1, **WEIGHTS)
    system = double(built(config))
    assert isinstance(system, CL2CM)
    given = batch()
    terms = system.training_step(given)
    each = one_by_one(system, given)
    taught = one_by_one(system, given, system.teacher or system.text)
    expected = naive(system, each, taught, 0.1)
    assert list(terms) == list(expected)
    for name, value in expected.items():
        check_gradients(terms[name], value, system)


def best_of_both(rank: int, scores: list[list[float]]) -> list[bool]:
    found = []
    for i, row in enumerate(scores):
        rivals = [j for j, picture in enumerate(PICTURES) if picture != PICTURES[i]]
        rows = sum(row[j] > row[i] for j in rivals)
        columns = sum(scores[j][i] > row[i] for j in rivals)
        found.append(rows < rank and columns < rank)
    return found


@pytest.mark.parametrize("rank", [2, 3])
def test_of_translations_those_count_that_the_teacher_finds_near_their_captions(rank: int) -> None:
    system = double(built(tiny(CL2CMConfig, trusted_rank=rank, **WEIGHTS)))
    given = batch()
    term = system.training_step(given)["target"]
    each, taught = one_by_one(system, given), one_by_one(system, given, system.teacher)
    trusted = best_of_both(rank, [[(s @ t).item() for t in taught.targets] for s in taught.sources])
    assert sum(trusted) in range(1, rank + 2), trusted  # some, and not all of the five
    targets = [
        target for target, is_trusted in zip(each.targets, trusted, strict=True) if is_trusted
    ]
    same = [
        [s for s, is_trusted in zip(row, trusted, strict=True) if is_trusted] for row in described()
    ]
    share = sum(trusted) / len(trusted)
    check_gradients(term, 0.7 * share * hinges(each.images, targets, same), system)
    assert not gradient_reaches(term, system.teacher)


def test_trust_by_rank_both_ways() -> None:
    scores = torch.tensor([[0.5, 0.6, 0.1], [0.9, 0.8, 0.2], [0.3, 0.1, 0.7]])
    alone = torch.eye(3).bool()
    assert trusted_pairs(scores, alone, rank=1).tolist() == [False, False, True]
    assert trusted_pairs(scores, alone, rank=2).tolist() == [True, True, True]
    kin = alone.clone()
    kin[:2, :2] = True  # of one picture: no rivals
    assert trusted_pairs(scores, kin, rank=1).tolist() == [True, True, True]


def test_where_no_translation_is_trusted_nothing_is_learned_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system = double(built(tiny(CL2CMConfig, trusted_rank=1)))
    monkeypatch.setattr(cl2cm, "trusted_pairs", lambda scores, *_, **__: scores.diagonal() > 2)
    terms = system.training_step(batch())
    assert terms["target"].item() == 0.0
    assert not gradient_reaches(terms["target"], system.text)
    torch.stack([*terms.values()]).sum().backward()


def gradient_reaches(term: Tensor, module: torch.nn.Module) -> bool:
    found = torch.autograd.grad(
        term, list(module.parameters()), retain_graph=True, allow_unused=True
    )
    return any(each is not None and bool(each.any()) for each in found)


def test_the_teacher_learns_from_languages_alone_and_the_student_from_the_teacher() -> None:
    system = double(built(tiny(CL2CMConfig)))
    terms = system.training_step(batch())
    teacher = system.parts()["teacher"]
    reached = {name for name, term in terms.items() if gradient_reaches(term, teacher)}
    assert reached == {"sentences", "words"}
    reached = {name for name, term in terms.items() if gradient_reaches(term, system.text)}
    assert reached == {"target", "relations", "source"}
    reached = {name for name, term in terms.items() if gradient_reaches(term, system.image)}
    assert reached == {"target", "relations", "source"}


def test_a_shared_teacher_trains_the_student_on_both() -> None:
    system = double(built(tiny(CL2CMConfig, teacher="shared")))
    assert "teacher" not in system.parts()
    terms = system.training_step(batch())
    reached = {name for name, term in terms.items() if gradient_reaches(term, system.text)}
    assert reached == set(terms)


@pytest.mark.parametrize(
    ("key", "gone"),
    [
        ("target_weight", "target"),
        ("sentence_weight", "sentences"),
        ("word_weight", "words"),
        ("distillation_weight", "relations"),
    ],
)
def test_a_term_of_weight_zero_is_left_out(key: str, gone: str) -> None:
    every = built(tiny(CL2CMConfig)).training_step(batch())
    fewer = built(tiny(CL2CMConfig, **{key: 0.0})).training_step(batch())
    assert set(every) - set(fewer) == {gone}


def test_an_own_teacher_is_like_the_student_and_no_copy() -> None:
    system = built(tiny(CL2CMConfig))
    assert isinstance(system, CL2CM)
    assert isinstance(system.teacher, RecurrentTextEncoder)
    own, taught = system.text.state_dict(), system.teacher.state_dict()
    assert own.keys() == taught.keys()
    assert any(not torch.equal(own[name], taught[name]) for name in own)


def test_a_teacher_without_words_aligns_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from polyglance.text import sentence_encoder

    class Encoder:
        """As long as the real one, and knows the first letters."""

        dimension, fingerprint = 512, "0"

        def embed(self, texts: list[str]) -> object:
            rows = torch.zeros(len(texts), 512)
            for row, text in zip(rows, texts, strict=True):
                row[ord(text[0]) % 512] = 1.0
            return rows.numpy()

    monkeypatch.setattr(sentence_encoder.SentenceEncoder, "load", lambda **_: Encoder())
    frozen = SentenceTextConfig(project=False)
    with pytest.raises(ConfigError, match="word_weight = 0"):
        built(tiny(CL2CMConfig, teacher=frozen))
    system = built(tiny(CL2CMConfig, teacher=frozen, word_weight=0.0, sentence_weight=0.0))
    assert not list(system.parts()["teacher"].parameters())
    terms = system.training_step(batch())
    assert set(terms) == {"source", "target", "relations"}
    assert gradient_reaches(terms["relations"], system.text)
    with pytest.raises(ConfigError, match="set dimension = 512"):  # as the student, it has to fit
        built(tiny(CL2CMConfig, text=frozen))
    learned = built(tiny(CL2CMConfig, teacher=SentenceTextConfig(), word_weight=0.0))
    terms = learned.training_step(batch())
    assert gradient_reaches(terms["sentences"], learned.parts()["teacher"])


def test_pairs_of_one_picture_are_not_pushed_apart() -> None:
    """With one picture in the batch there is nothing to contrast, and all hinges are 0."""
    system = built(tiny(CL2CMConfig, loss=MaxOfHingesConfig()))
    terms = system.training_step(batch(pictures=[2] * 5))
    assert all(float(terms[name].detach()) == 0 for name in ("source", "target", "sentences"))


def test_what_is_shared_between_pictures_is_a_positive() -> None:
    """Where each caption is also one of every other picture, nothing is left to contrast."""
    given = batch()
    also = torch.tensor([[text, int(one)] for text in range(10) for one in given.image_ids])
    system = built(tiny(CL2CMConfig))
    everywhere = system.training_step(replace(given, also=also))
    assert all(float(everywhere[name].detach()) == 0 for name in ("source", "sentences"))
    assert float(system.training_step(given)["sentences"].detach()) > 0


def test_positives_between_languages_are_those_of_the_data() -> None:
    """A source that is also another picture's caption makes the two pairs say the same."""
    given = replace(batch(), also=torch.tensor([[0, 5], [1, 3]]))
    system = built(tiny(CL2CMConfig))
    found = system.encode_pairs(given).same
    assert given.translated is not None
    shared = torch.zeros(5, 5).bool()
    shared[0, 1] = shared[1, 0] = shared[1, 3] = True
    assert torch.equal(found, replace(given.translated, shared=shared).positives)
