"""``polyglance vectors`` as a user types it, over two toy languages that say the same."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from polyglance.cli.vectors import app
from polyglance.errors import ConfigError
from polyglance.text.vector_files import read_subwords, read_vectors, write_binary, write_text

WORDS = [f"{letter}{number}" for letter in "abcdef" for number in range(20)]


def run(*arguments: object) -> str:
    """Output of a command; errors are raised as the ``polyglance`` command sees them."""
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def split_in(output: str) -> tuple[int, int]:
    """Source words that `align` says it learned from, and those that it measured on."""
    found = re.search(
        r"learning from (\d+) source words.*measured on (\d+) words", output, re.DOTALL
    )
    assert found is not None
    return int(found[1]), int(found[2])


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 2, result.output
    return " ".join(result.output.replace("│", " ").split())


def vectors(noise: float = 0.0, seed: int = 5) -> torch.Tensor:
    """The same points each time, turned and shaken by ``seed``."""
    points = torch.randn(len(WORDS), 8, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
    return (points + noise * torch.randn(points.shape, generator=generator)) @ turn


@pytest.fixture
def spaces(tmp_path: Path) -> Path:
    """``mono/en.vec`` and ``mono/de.vec``, trained apart, and a dictionary."""
    write_text(tmp_path / "mono" / "en.vec", WORDS, vectors(seed=1))
    german = [f"{word}e" for word in WORDS]
    write_binary(tmp_path / "mono" / "de.vec", german, vectors(noise=0.1, seed=2))
    (tmp_path / "de-en.txt").write_text(
        "".join(f"{word}e {word}\n" for word in WORDS) + "fehlt missing\n"
    )
    return tmp_path


def cosine(first: Path, second: Path) -> float:
    pairs = [
        torch.nn.functional.normalize(read_vectors(path)[1], dim=1) for path in (first, second)
    ]
    return float((pairs[0] * pairs[1]).sum(dim=1).mean())


# align, evaluate --------------------------------------------------------------------------------


def test_align_then_evaluate(spaces: Path) -> None:
    mono, dictionary = spaces / "mono", spaces / "de-en.txt"
    assert cosine(mono / "de.vec", mono / "en.vec") < 0.5
    asked = ("--dictionary", dictionary, "--held-out", "0.5")
    output = run("align", mono / "de.vec", mono / "en.vec", "--output", spaces / "both", *asked)
    assert "dictionary: 120 of its 121 source words have a translation" in output
    learned, measured = split_in(output)
    assert learned + measured == 120
    assert 40 < measured < 80
    assert f"learning from {learned} source words, {learned} pairs" in output
    assert f"measured on {measured} words, among 120 candidates" in output
    assert output.count("kept") == 1
    assert read_vectors(spaces / "both" / "en.vec")[0] == WORDS
    assert cosine(spaces / "both" / "de.vec", spaces / "both" / "en.vec") > 0.9

    report = spaces / "report.json"
    both = (spaces / "both" / "de.vec", spaces / "both" / "en.vec")
    again = run("evaluate", *both, *asked, "--json", report)
    shares = [line for line in output.splitlines() if "P@1" in line]
    assert len(shares) == 2
    assert all(line in again for line in shares)  # the same words were held out
    found = json.loads(report.read_text())
    assert set(found) == {"csls", "cosine"}
    assert found["csls"]["words"] == measured
    assert found["csls"]["precision"]["1"]["percent"] > 95
    assert f"P@1 {found['csls']['precision']['1']['percent']:.1f}" in again


def test_languages_aligned_with_one_share_a_space(spaces: Path) -> None:
    mono = spaces / "mono"
    write_text(mono / "fr.vec", [f"{word}o" for word in WORDS], vectors(noise=0.1, seed=3))
    (spaces / "en-fr.txt").write_text("".join(f"{word}\t{word}o\n" for word in WORDS))
    out = ("--output", spaces / "all")
    run("align", mono / "de.vec", mono / "en.vec", "--dictionary", spaces / "de-en.txt", *out)
    before = (spaces / "all" / "en.vec").read_bytes()
    reverse = ("--reverse-dictionary", spaces / "en-fr.txt")
    run("align", mono / "fr.vec", mono / "en.vec", *reverse, *out)
    assert (spaces / "all" / "en.vec").read_bytes() == before
    assert cosine(spaces / "all" / "fr.vec", spaces / "all" / "de.vec") > 0.9


def test_identical_words_are_a_dictionary(spaces: Path) -> None:
    mono = spaces / "mono"
    write_text(mono / "nl.vec", WORDS, vectors(noise=0.1, seed=3))
    files = (mono / "nl.vec", mono / "en.vec", "--output", spaces / "both")
    output = run("align", *files, "--identical")
    assert "learning from 120 source words" in output
    assert "measured" not in output
    (spaces / "nl-en.txt").write_text("".join(f"{word} {word}\n" for word in WORDS[:40]))
    output = run("align", *files, "--identical", "--dictionary", spaces / "nl-en.txt")
    learned, measured = split_in(output)
    assert learned + measured == 120
    assert 0 < measured < 12  # of the 40 in the dictionary


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["align", "mono/de.vec", "mono/en.vec", "--output", "both"], "--identical words"),
        (["align", "mono/en.vec", "mono/en.vec", "--output", "both", "--identical"], "one name"),
        (["align", "mono/de.vec", "mono/en.vec", "--output", "mono", "--identical"], "another fol"),
        (["align", "mono/de.vec", "mono/en.vec", "--output", "de-en.txt", "--identical"], "a file"),
        (["evaluate", "mono/de.vec", "mono/en.vec"], "name one to measure by"),
        (["evaluate", "short.vec", "mono/en.vec", "--dictionary", "de-en.txt"], "align them first"),
        (["join", "mono", "mono", "--output", "both"], "join each language once"),
        (["join", "mono", "--output", "mono"], "another folder"),
    ],
)
def test_misunderstandings_are_told(
    spaces: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(spaces)
    write_text(Path("short.vec"), ["a"], torch.ones(1, 3))
    assert message in refused(*arguments)


def test_a_share_without_a_word_is_told(spaces: Path) -> None:
    write_text(spaces / "few.vec", WORDS[:3], vectors()[:3])
    (spaces / "few.txt").write_text("".join(f"{word} {word}\n" for word in WORDS[:3]))
    asked = ("--dictionary", spaces / "few.txt", "--held-out", "0.01")
    message = refused("evaluate", spaces / "few.vec", spaces / "few.vec", *asked)
    assert "none of 3 words in it; raise it" in message


def test_errors_name_the_file(spaces: Path) -> None:
    mono = spaces / "mono"
    with pytest.raises(ConfigError, match=r"fr\.vec: No such file"):
        run("evaluate", mono / "fr.vec", mono / "en.vec", "--dictionary", spaces / "de-en.txt")
    out = ("--output", spaces / "both")
    with pytest.raises(ConfigError, match="right order"):
        run("align", mono / "en.vec", mono / "de.vec", "--dictionary", spaces / "de-en.txt", *out)


# join -------------------------------------------------------------------------------------------


def test_join(tmp_path: Path) -> None:
    for seed, tag in enumerate(("de", "fr", "cs"), start=1):
        same = vectors(seed=seed)
        write_text(tmp_path / tag / "en.vec", WORDS, same)
        write_text(tmp_path / tag / f"{tag}.vec", [f"{word}-{tag}" for word in WORDS], same)
    out = tmp_path / "joined"
    run("join", tmp_path / "de", tmp_path / "fr", tmp_path / "cs", "--output", out)
    assert {path.name for path in out.iterdir()} == {"en.vec", "de.vec", "fr.vec", "cs.vec"}
    assert cosine(out / "fr.vec", out / "cs.vec") > 0.999
    assert cosine(out / "en.vec", out / "cs.vec") > 0.999


def test_a_space_without_the_pivot(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "de.vec", ["a"], torch.ones(1, 3))
    with pytest.raises(ConfigError, match=r"en\.vec and the file of one other .* are: de\.vec"):
        run("join", tmp_path / "a", "--output", tmp_path / "joined")


# train ------------------------------------------------------------------------------------------


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    draw = random.Random(0)
    lines = [[draw.choice(WORDS[:30]) for _ in range(6)] for _ in range(200)]
    (tmp_path / "en.txt").write_text("".join(" ".join(line) + "\n" for line in lines))
    (tmp_path / "de.txt").write_text(
        "".join(" ".join(f"{word}e" for word in line) + "\n" for line in lines)
    )
    return tmp_path


SMALL = ("--dimension", 8, "--epochs", 2, "--seed", 3)


def test_train_word2vec(texts: Path) -> None:
    train = ("train", texts / "en.txt", "--language", "en", *SMALL)
    output = run(*train, "--output", texts / "mono")
    assert "200 sentences, 1,200 words" in output
    words, numbers = read_vectors(texts / "mono" / "en.vec")
    assert set(words) == set(WORDS[:30])
    assert numbers.shape == (30, 8)
    run(*train, "--output", texts / "again")
    assert (texts / "again" / "en.vec").read_bytes() == (texts / "mono" / "en.vec").read_bytes()


def test_train_fasttext(texts: Path) -> None:
    options = ("--algorithm", "fasttext", "--ngrams", 2, 3, "--buckets", 50)
    where = ("--output", texts / "mono")
    run("train", texts / "en.txt", "--language", "en", *options, *SMALL, *where)
    words, numbers = read_vectors(texts / "mono" / "en.vec")
    same, others = read_vectors(texts / "mono" / "en.bin")
    assert words == same
    torch.testing.assert_close(numbers, others)
    subwords = read_subwords(texts / "mono" / "en.bin")
    assert subwords is not None
    assert (subwords.minimum, subwords.maximum, len(subwords.buckets)) == (2, 3, 50)


BOTH = ("--language", "en", "--language", "de", "--algorithm", "bivec")


@pytest.mark.parametrize("links", [(), ("--links", "position"), ("--alignments", "links.txt")])
def test_train_bivec(texts: Path, monkeypatch: pytest.MonkeyPatch, links: tuple[str, ...]) -> None:
    monkeypatch.chdir(texts)
    Path("links.txt").write_text("0-0 1-1 2-2 3-3 4-4 5-5\n" * 200)
    output = run("train", "en.txt", "de.txt", *BOTH, *links, *SMALL, "--output", "both")
    assert "200 pairs of sentences" in output
    words, numbers = read_vectors(Path("both/en.vec"))
    others, _ = read_vectors(Path("both/de.vec"))
    assert numbers.shape == (30, 8)
    assert set(others) == {f"{word}e" for word in words}


def test_alignments_of_other_texts_are_told(texts: Path) -> None:
    (texts / "links.txt").write_text("0-0\n")
    files = (texts / "en.txt", texts / "de.txt", "--alignments", texts / "links.txt")
    with pytest.raises(ConfigError, match=r"links\.txt: 1 lines for 200"):
        run("train", *files, *BOTH, "--output", texts / "both")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["en.txt", "--language", "en", "--language", "de"], "word2vec reads one language"),
        (["en.txt", "--language", "en", "--alignments", "a"], "no use for --alignments"),
        (
            ["en.txt", "--language", "en", "--algorithm", "fasttext", "--ngrams", "3", "2"],
            "from a short length",
        ),
        (["en.txt", "--language", "en", "--algorithm", "bivec"], "bivec reads two texts"),
        (
            ["en.txt", "de.txt", "--algorithm", "bivec", "--language", "en", "--language", "en"],
            "two tags",
        ),
    ],
)
def test_texts_and_languages_belong_together(
    texts: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(texts)
    assert message in refused("train", *arguments, "--output", "out")
    assert not Path("out").exists()


def test_a_text_that_is_absent(texts: Path) -> None:
    with pytest.raises(ConfigError, match=r"xx\.txt: No such file"):
        run("train", texts / "xx.txt", "--language", "en", "--output", texts / "out")
