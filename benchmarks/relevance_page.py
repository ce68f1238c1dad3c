"""The page of what ``relevance.py`` measured, ``docs/results/relevance.md``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]

MATCHING = {"captions": "captions, photo there", "words": "words, thing there"}
EMPTY = {
    "alike": "captions, photo elsewhere",
    "subject": "captions, subject not there",
    "names": "names of strange things",
    "shuffled": "shuffled letters",
    "letters": "random letters",
}
KINDS = MATCHING | EMPTY

HEAD = """# Relevance: how often a search says rightly that nothing matches

*Written by `python benchmarks/relevance.py`; not edited by hand.*

Model `{model}`. One half of the validation photos of Flickr8k (500) lies in collections of {sizes}
photos, filled up with training photos where they are larger. Asked are, in seven languages,

- with a match: a caption of each of these photos (**{captions}**), and names of emoji that three
  of five English captions of one of them say (**{words}**);
- without: a caption of each of the other 500 photos (**{alike}**), where similar photos may well
  be there; captions about a subject (dogs, snow, water, wheels, climbing, ball games, children),
  asked of a collection without the photos whose captions mention it, and so with about 4,100 in
  place of 5,000 where it is children (**{subject}**); names of emoji
  and stamps of which no word is in a caption of Flickr8k (**{names}**); captions with the letters
  of each word shuffled, of which the model may still read something, in Chinese random characters
  (**{shuffled}**); letters drawn at random (**{letters}**).

`mini` has seen the training photos with their captions, and not the validation photos: a cut found
on the former is too strict. The texts that match nothing are the same everywhere.
"""

COMPARED = """
## Ways to tell a match

Each gives the best picture of a query a number, and has one cut for all sizes, languages and kinds
of query: the one that keeps 80 % of the captions whose photo is there. Percent of queries on the
validation photos that pass it: of the first two columns more is better, of the others, which are
false alarms, less.

- *cosine*: of the best picture.
- *z*, *robust z*: its distance from the mean (median) of the query's cosines, in standard (median
  absolute) deviations. A Gumbel distribution fitted by moments orders queries of one collection as
  *z* does.
- *exponential tail*: its excess over the 90 % quantile, in mean excesses of the others (a
  generalised Pareto distribution of shape 0).
- *cosine less hubness*: best cosine after taking off each picture's mean with its ten nearest among
  1,000 English captions, as CSLS does.
- *all references*: its distance from the mean of the best cosines of texts that match nothing, in
  their standard deviations.
- *16 references*: relevance, as `polyglance search` shows it.
"""


def page(content: Mapping[str, Any]) -> str:
    """The whole page, from what is in ``relevance.json``."""
    rows: Rows = content["relevance"]
    sizes = ", ".join(f"{size:,}" for size in _distinct(rows, "size"))
    parts = [HEAD.format(model=content["model"], sizes=sizes, **KINDS), COMPARED]
    for split, told in (("val", "the validation photos"), ("train", "500 training photos")):
        parts += [f"\nThe cut found on {told}:\n", _candidates(content["candidates"], split)]
    good = content["good"]
    parts += [
        f"\n## Relevance of {good} and above\n\nPercent of queries whose best picture has it, so "
        "that something is shown. *Own photo*: the photo that the caption is of is among the first "
        "ten, and something is shown; in brackets, among the first ten at all. *Own relevant*: "
        f"that photo itself has {good} or more.\n",
        "\nBy size, mean of the languages:\n",
        _table(rows, "size", "photos"),
        "\nBy language, mean of the sizes:\n",
        _table(rows, "language", "language"),
        "\nQueries: " + _counts(rows) + "\n",
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _candidates(candidates: Rows, split: str) -> str:
    lines = [_line(["", *KINDS.values()]), _line(["---", *["---:"] * len(KINDS)])]
    lines += [
        _line([each["name"], *(f"{100 * each[split][kind]:.0f}" for kind in KINDS)])
        for each in candidates
    ]
    return "\n".join(lines)


def _table(rows: Rows, key: str, heading: str) -> str:
    names = [MATCHING["captions"], "own photo", "own relevant", MATCHING["words"], *EMPTY.values()]
    lines = [_line([heading, *names]), _line(["---", *["---:"] * len(names)])]
    for value in _distinct(rows, key):
        chosen = [row for row in rows if row[key] == value]
        of = {kind: [row for row in chosen if row["kind"] == kind] for kind in KINDS}
        captions = of["captions"]
        cells = [
            _mean(captions, "good"),
            f"{_mean(captions, 'shown')} ({_mean(captions, 'in_ten')})",
            _mean(captions, "own"),
            *(_mean(of[kind], "good") for kind in ("words", *EMPTY)),
        ]
        lines.append(_line([f"{value:,}" if isinstance(value, int) else value, *cells]))
    return "\n".join(lines)


def _counts(rows: Rows) -> str:
    """How many queries of each kind there were, all sizes and languages together."""
    totals = {kind: sum(row["queries"] for row in rows if row["kind"] == kind) for kind in KINDS}
    return "; ".join(f"{KINDS[kind]} {total:,}" for kind, total in totals.items()) + "."


def _mean(rows: Rows, key: str) -> str:
    return f"{100 * sum(row[key] for row in rows) / len(rows):.0f}" if rows else "–"


def _distinct(rows: Rows, key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
