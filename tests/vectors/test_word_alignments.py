"""Which words translate each other: files, by position, and by our own aligner."""

import random
from pathlib import Path

import pytest
import torch

from polyglance.errors import ConfigError
from polyglance.vectors.ibm1 import align_words
from polyglance.vectors.word_alignments import monotonic_alignments, read_alignments

PAIRS = [(["a", "b", "c"], ["x", "y"]), ([], ["z"]), (["d"], ["w"])]


@pytest.mark.parametrize("lines", ["0-0 2-1\n\n0-0\n", "0 0 2 1\n\n0 0\n"])  # Pharaoh, bivec
def test_both_formats_of_files(tmp_path: Path, lines: str) -> None:
    path = tmp_path / "links"
    path.write_text(lines)
    found = [links.tolist() for links in read_alignments(path, PAIRS)]
    assert found == [[[0, 0], [2, 1]], [], [[0, 0]]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("0-0\n", "1 lines for 3 sentence pairs"),
        ("0-0\n\n0-0 1\n", "links:3: pairs of word numbers"),
        ("a-b\n\n0-0\n", "links:1: pairs of word numbers"),
        ("0-2\n\n0-0\n", "links:1: names a word beyond sentences of 3 and 2 words"),
    ],
)
def test_bad_files_are_refused_by_line(tmp_path: Path, lines: str, message: str) -> None:
    path = tmp_path / "links"
    path.write_text(lines)
    with pytest.raises(ConfigError, match=message):
        read_alignments(path, PAIRS)


def test_an_absent_file_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_alignments(tmp_path / "none", PAIRS)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_alignments(tmp_path / "bytes", PAIRS)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (3, 3, [[0, 0], [1, 1], [2, 2]]),
        (4, 2, [[0, 0], [1, 0], [2, 1], [3, 1]]),
        (2, 4, [[0, 0], [0, 1], [1, 2], [1, 3]]),
        (2, 3, [[0, 0], [0, 1], [1, 1], [1, 2]]),
        (0, 3, []),
        (3, 0, []),
    ],
)
def test_by_position(source: int, target: int, expected: list[list[int]]) -> None:
    (links,) = monotonic_alignments([(["a"] * source, ["b"] * target)])
    assert links.tolist() == expected
    assert links.shape == (len(expected), 2)


def translated(count: int) -> tuple[list[tuple[list[str], list[str]]], list[list[list[int]]]]:
    """Sentences of distinct words, translated word by word and shuffled, and the truth."""
    drawn = random.Random(0)
    pairs, truth = [], []
    for _ in range(count):
        source = drawn.sample([f"w{number}" for number in range(30)], drawn.randint(3, 7))
        order = drawn.sample(range(len(source)), len(source))
        pairs.append((source, [f"{source[place]}x" for place in order]))
        truth.append([[i, order.index(i)] for i in range(len(source))])
    return pairs, truth


def test_our_aligner_finds_translations_anywhere() -> None:
    pairs, truth = translated(200)
    assert [links.tolist() for links in align_words(pairs, tension=0.0)] == truth


def test_our_aligner_against_loops() -> None:
    """Model 1 with the diagonal's prior, two rounds, each token and cell by itself."""
    pairs, _ = translated(12)
    pairs.append((["w1", "w2", "w1"], ["w1x", "w2x"]))

    def chosen(way: int) -> list[set[tuple[int, int]]]:
        table: dict[tuple[str, str], float] = {}

        def score(e: int, f: int, pair: tuple[list[str], list[str]]) -> float:
            given, made = pair[way], pair[1 - way]
            prior = torch.exp(torch.tensor(-4.0 * abs(e / len(given) - f / len(made)))).item()
            return table.get((given[e], made[f]), 1.0) * prior

        for _ in range(2):
            counts: dict[tuple[str, str], float] = {}
            for pair in pairs:
                for f in range(len(pair[1 - way])):
                    scores = [score(e, f, pair) for e in range(len(pair[way]))]
                    for e, value in enumerate(scores):
                        key = pair[way][e], pair[1 - way][f]
                        counts[key] = counts.get(key, 0.0) + value / sum(scores)
            totals: dict[str, float] = {}
            for (given, _), count in counts.items():
                totals[given] = totals.get(given, 0.0) + count
            table = {key: count / totals[key[0]] for key, count in counts.items()}
        links = []
        for pair in pairs:
            best = [
                (max(range(len(pair[way])), key=lambda e, f=f, pair=pair: score(e, f, pair)), f)
                for f in range(len(pair[1 - way]))
            ]
            links.append({link if way == 0 else (link[1], link[0]) for link in best})
        return links

    expected = [sorted(map(list, one | two)) for one, two in zip(chosen(0), chosen(1), strict=True)]
    assert [links.tolist() for links in align_words(pairs, rounds=2, tension=4.0)] == expected


def test_position_tells_repeated_words_apart() -> None:
    pairs = [(["a", "b", "a"], ["ax", "bx", "ax"])] * 3
    assert align_words(pairs)[0].tolist() == [[0, 0], [1, 1], [2, 2]]


def test_empty_sentences_have_no_links() -> None:
    found = align_words([([], ["x"]), (["a"], ["x"]), (["a"], [])])
    assert [links.tolist() for links in found] == [[], [[0, 0]], []]
    assert [links.tolist() for links in align_words([([], [])])] == [[]]
