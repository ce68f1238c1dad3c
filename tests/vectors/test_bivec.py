"""Two languages in one space: the objective, who predicts whom, and what comes of it."""

import random

import pytest
import torch
from torch.nn.functional import logsigmoid

from polyglance.errors import ConfigError
from polyglance.vectors.bitext import Bitext, Side, Vocabulary
from polyglance.vectors.bivec import _kept_share, _near, _Noise, train_bivec, who_predicts_whom
from polyglance.vectors.skip_gram import LONGEST, SkipGram, gradients

RING = [f"w{number}" for number in range(12)]
LINKS = torch.tensor([[0, 3], [1, 2], [2, 1], [3, 0]])


def toy(count: int = 400) -> list[tuple[list[str], list[str]]]:
    """Four words in a row of a ring, and their translations from back to front."""
    drawn = random.Random(0)
    found = []
    for _ in range(count):
        first = drawn.randrange(12)
        words = [RING[(first + place) % 12] for place in range(4)]
        found.append((words, [f"{word}x" for word in reversed(words)]))
    return found


def test_gradients_are_those_of_the_written_objective() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    outputs = torch.randn(2, 5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    predicted = torch.rand(2, 3, 3, generator=generator, dtype=torch.float64)
    against = torch.rand(2, 3, 2, generator=generator, dtype=torch.float64)
    objective = torch.zeros((), dtype=torch.float64)
    for sentence in range(2):
        for i in range(3):
            for o in range(5):
                score = inputs[sentence, i] @ outputs[sentence, o]
                if o < 3:
                    objective = objective - predicted[sentence, i, o] * logsigmoid(score)
                else:
                    objective = objective - against[sentence, i, o - 3] * logsigmoid(-score)
    expected = torch.autograd.grad(objective, (inputs, outputs))
    found = gradients(inputs.detach(), outputs.detach(), predicted, against)
    torch.testing.assert_close(found, expected)


def test_a_step_descends_by_the_sum_over_all_places_of_a_word() -> None:
    model = SkipGram(words=4, dimension=3, generator=torch.Generator().manual_seed(0))
    model.outputs.normal_(generator=torch.Generator().manual_seed(1))
    inputs, outputs = model.inputs.clone().requires_grad_(), model.outputs.clone().requires_grad_()
    words, negatives = torch.tensor([[0, 1, 0]]), torch.tensor([[3, 1]])
    predicted, against = torch.ones(1, 3, 3), torch.full((1, 3, 2), 0.5)
    scores = inputs[words[0]] @ outputs[torch.cat([words, negatives], dim=1)[0]].T  # (3, 5)
    objective = -logsigmoid(scores[:, :3]).sum() - 0.5 * logsigmoid(-scores[:, 3:]).sum()
    objective.backward()
    model.step(words, predicted, negatives, against, learning_rate=0.1)
    torch.testing.assert_close(model.inputs, (inputs - 0.1 * inputs.grad).detach())
    torch.testing.assert_close(model.outputs, (outputs - 0.1 * outputs.grad).detach())


def test_a_step_is_never_longer_than_its_bound() -> None:
    model = SkipGram(words=2, dimension=3, generator=torch.Generator().manual_seed(0))
    model.inputs.fill_(1.0)
    words, nothing = torch.tensor([[0, 1]]), torch.zeros(1, 0, dtype=torch.int64)
    model.step(words, torch.full((1, 2, 2), 1e3), nothing, torch.zeros(1, 2, 0), learning_rate=0.1)
    lengths = model.outputs.norm(dim=1)
    torch.testing.assert_close(lengths, torch.full((2,), 0.1 * LONGEST))


def test_words_predict_their_neighbours_and_those_of_their_translations() -> None:
    generator = torch.Generator().manual_seed(0)
    there = torch.tensor([[True, True, True, False]]), torch.tensor([[True, True, True]])
    near = [_near(each, 2, generator) for each in there]
    linked = torch.zeros(1, 4, 3)
    for i, j in ((0, 0), (1, 2), (2, 1)):
        linked[0, i, j] = 1.0
    found = who_predicts_whom(near, linked, weight=0.5)[0]
    expected = torch.zeros(7, 7)
    expected[:4, :4], expected[4:, 4:] = near[0][0], near[1][0]
    for i, j in ((0, 0), (1, 2), (2, 1)):
        for k in range(3):
            expected[i, 4 + k] += 0.5 * near[1][0, j, k]
        for k in range(4):
            expected[4 + j, k] += 0.5 * near[0][0, i, k]
    torch.testing.assert_close(found, expected)
    assert found[3].sum() == found[:, 3].sum() == 0  # padding


def test_windows_reach_from_one_word_to_the_window() -> None:
    near = _near(torch.ones(500, 9, dtype=torch.bool), 3, torch.Generator().manual_seed(0))
    reached = near[:, 4].mean(dim=0)  # how often the middle word sees each
    expected = torch.tensor([0, 1 / 3, 2 / 3, 1, 0, 1, 2 / 3, 1 / 3, 0])
    torch.testing.assert_close(reached, expected, atol=0.06, rtol=0)


def test_negatives_come_by_the_power_of_their_counts() -> None:
    drawn = _Noise(torch.tensor([16.0, 1.0, 81.0])).draw(
        1, 35_000, torch.Generator().manual_seed(0)
    )
    shares = torch.bincount(drawn[0], minlength=3) / 35_000
    torch.testing.assert_close(shares, torch.tensor([8.0, 1.0, 27.0]) / 36, atol=0.01, rtol=0)


def test_frequent_words_are_left_out_as_word2vec_does() -> None:
    counts = torch.tensor([900.0, 99.0, 1.0])
    share = _kept_share(counts, 0.01)
    expected = [(count / 10) ** -0.5 + 10 / count for count in (900, 99)] + [1.0]
    torch.testing.assert_close(share, torch.tensor(expected))


def test_leaving_words_out_renumbers_links() -> None:
    source = Side(torch.tensor([5, 6, 7, 8]), torch.tensor([0, 2, 4]))
    target = Side(torch.tensor([1, 2, 3]), torch.tensor([0, 1, 3]))
    bitext = Bitext(source, target, torch.tensor([[0, 0], [2, 1], [3, 2]]))
    left = bitext.only(torch.tensor([False, True, True, True]), torch.ones(3, dtype=torch.bool))
    assert left.source.ids.tolist() == [6, 7, 8]
    assert left.source.start.tolist() == [0, 1, 3]
    assert left.links.tolist() == [[1, 1], [2, 2]]
    ids, there = left.source.padded(torch.tensor([1, 0]))
    assert ids.tolist() == [[7, 8], [6, 0]]
    assert there.tolist() == [[True, True], [True, False]]
    assert left.linked(torch.tensor([1, 0])).tolist() == [[[1, 0], [0, 1]], [[0, 0], [0, 0]]]


def test_translations_become_nearest_neighbours() -> None:
    pairs = toy()
    space = train_bivec(
        pairs, dimension=16, window=1, epochs=40, subsample=1.0, alignments=[LINKS] * len(pairs)
    )
    nearest = (space.source.unit() @ space.target.unit().T).argmax(dim=1).tolist()
    found = {
        word: space.target.words[row] for word, row in zip(space.source.words, nearest, strict=True)
    }
    assert found == {word: f"{word}x" for word in RING}


def test_without_a_bilingual_weight_languages_do_not_meet() -> None:
    pairs = toy(100)
    one, other = (
        train_bivec(
            [(source, words) for (source, _), words in zip(pairs, targets, strict=True)],
            dimension=8,
            epochs=2,
            subsample=1.0,
            alignments=[LINKS] * len(pairs),
            bilingual_weight=0.0,
        )
        for targets in (
            [target for _, target in pairs],
            [list(reversed(target)) for _, target in pairs],
        )
    )
    assert torch.equal(one.source.vectors, other.source.vectors)


def test_the_seed_decides() -> None:
    once, again, other = (
        train_bivec(toy(60), dimension=8, epochs=2, seed=seed) for seed in (1, 1, 2)
    )
    assert once.source.words == again.source.words
    assert torch.equal(once.source.vectors, again.source.vectors)
    assert torch.equal(once.target.vectors, again.target.vectors)
    assert not torch.equal(once.source.vectors, other.source.vectors)


def test_the_most_frequent_words_come_first_and_rare_ones_not_at_all() -> None:
    pairs = [(["a", "a", "a", "b", "b", "c"], ["x", "x", "y"]), ([], []), (["b"], ["y", "y"])]
    space = train_bivec(pairs, dimension=4, epochs=1, min_count=2)
    assert space.source.words == ["a", "b"]
    assert space.target.words == ["y", "x"]
    assert space.target.vectors.shape == (2, 4)
    assert Vocabulary.of([["a", "b", "a"]], min_count=1).counts.tolist() == [2, 1]


def test_epochs_are_told() -> None:
    told: list[int] = []
    train_bivec(toy(5), dimension=4, epochs=3, after_epoch=lambda: told.append(1))
    assert len(told) == 3


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="no word of the target language occurs 2 times"):
        train_bivec([(["a", "a"], ["b", "c"])])
    with pytest.raises(ConfigError, match="1 alignments for 5 sentence pairs"):
        train_bivec(toy(5), alignments=[LINKS])
    with pytest.raises(ConfigError, match="sentence pair 3: its alignment names a word"):
        train_bivec(toy(5), alignments=[LINKS, LINKS, LINKS + 1, LINKS, LINKS])


def test_batches_without_a_word_left_teach_nothing() -> None:
    space = train_bivec(toy(5), dimension=4, epochs=2, subsample=1e-12)
    assert space.source.vectors.abs().max() <= 1 / 8  # as drawn
