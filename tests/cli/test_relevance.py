"""``polyglance search`` where nothing matches well, and with a least relevance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from polyglance.cli.index import index
from polyglance.cli.search import search
from polyglance.errors import QueryError
from support.collections import use_colours
from support.colours import many_pictures

NONSENSE = "zqxj"

app = typer.Typer()
app.command()(index)
app.command()(search)


@pytest.fixture(autouse=True)
def collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_colours(monkeypatch)
    monkeypatch.chdir(tmp_path)
    many_pictures(tmp_path / "photos", 60)
    run("index", "photos", "-c", "c")


def run(*arguments: str) -> tuple[str, str]:
    """Stdout and stderr of a command that ends well."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def test_of_nonsense_it_is_said_that_nothing_matches() -> None:
    out, told = run("search", NONSENSE, "-c", "c")
    assert len(out.splitlines()) == 10  # the nearest
    assert "nothing here matches well: the best picture has relevance 0.5" in told
    assert "nothing here" not in run("search", "rot", "-c", "c")[1]
    out, told = run("search", NONSENSE, "-c", "c", "--min-relevance", "0.9")
    assert out == ""
    assert run("search", NONSENSE, "-c", "c", "--min-relevance", "0.9", "--json")[0] == "[]\n"


def test_relevance_stands_beside_the_score() -> None:
    out, _ = run("search", "rot", "-c", "c", "--top", "1")
    assert out.split()[:2] == ["1.000", "1.00"]
    (hit,) = json.loads(run("search", "rot", "-c", "c", "--top", "1", "--json")[0])
    assert hit["relevance"] == pytest.approx(1)


def test_a_least_relevance_acts_on_the_number_shown() -> None:
    every = json.loads(
        run("search", "rot", "-c", "c", "--top", "60", "--min-relevance", "0", "--json")[0]
    )
    few = json.loads(
        run("search", "rot", "-c", "c", "--top", "60", "--min-relevance", "0.95", "--json")[0]
    )
    assert 0 < len(few) < len(every) == 60
    assert few == [hit for hit in every if hit["relevance"] >= 0.95]
    out, told = run("search", NONSENSE, "-c", "c", "--min-relevance", "0.95")
    assert out == ""
    assert "there are 60 pictures, and no more with relevance 0.95 or above" in told


def test_pictures_cannot_be_asked_for_by_relevance() -> None:
    with pytest.raises(QueryError, match="words alone"):
        run("search", "--image", "photos/0000.png", "-c", "c", "--min-relevance", "0.5")
