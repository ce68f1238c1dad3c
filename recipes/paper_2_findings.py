"""What the runs of paper 2 say of its claims, and why where they contradict them.

Every sentence here is chosen by the runs: none is written where they do not bear it out.
"""

from __future__ import annotations

import statistics

from ledger import Ledger, difference

PICTURES, CAPTIONS = 6_000, 5  # of training, in English
ON_TEXT = "en captions, en–de text"
STILL = 10.0  # an rsum that has hardly left chance (3.2) behind
NARROW = 0.05  # an entropy of attention that looks at one region alone


def verdict(found: tuple[float, float] | None) -> str:
    """A difference with its interval, and whether it is one."""
    if found is None:
        return "not run"
    mean, half = found
    word = "yes" if mean - half > 0 else "no" if mean + half < 0 else "not told apart"
    return f"{_interval(found)}, {word}"


def orders(ledger: Ledger) -> list[str]:
    """Whether the systems come in the order that the paper has them in."""
    lines = [
        "## Do the paper's orders hold?",
        "",
        "Differences of rsum over paired seeds, which share their batches, with 95 % intervals.",
        "",
        "| claim of the paper | language | here |",
        "|---|---|---|",
    ]
    claims = [
        ("LIWE does as well as word vectors", "LIWE", "CLMR"),
        ("CLMR beats VSE++", "CLMR", "VSE++"),
        ("SCAN t2i beats VSE++", "SCAN t2i", "VSE++"),
        ("LIWE beats SCAN t2i", "LIWE", "SCAN t2i"),
        ("pretrained vectors help LIWE", "LIWE + vectors", "LIWE"),
    ]
    for told, first, second in claims:
        for tag in ("en", "de", "zh"):
            found = _between(ledger, f"single-{tag}", first, second, tag)
            lines.append(f"| {told} | {tag} | {first} − {second}: {verdict(found)} |")
    return [*lines, "", *_slow_characters(ledger), *_slow_attention(ledger)]


def _slow_characters(ledger: Ledger) -> list[str]:
    """Why LIWE is behind, where it is: how far and on which captions, in short and long runs."""
    tables = "single-en", "longer"
    gaps = [_between(ledger, table, "LIWE", "CLMR", "en") for table in tables]
    first, later = gaps
    if first is None or later is None or sum(first) >= 0:
        return []
    epochs, losses = [], []
    for table in tables:
        liwe, clmr = (ledger.of(table, name) for name in ("LIWE", "CLMR"))
        epochs.append(liwe[0].pairs / (PICTURES * CAPTIONS))
        losses.append(
            [statistics.fmean(run.losses[-1][1] for run in runs) for runs in (liwe, clmr)]
        )
    closing = later[0] > first[0] + first[1]
    more = "closes the gap" if closing else "does not close the gap soon"
    told = [
        f"Why LIWE is behind CLMR in English: by {_interval(first)} after {epochs[0]:.1f} epochs "
        f"of the captions, and by {_interval(later)} after {epochs[1]:.1f} (table *Longer*): more "
        f"of the same {more}. In the paper's figure 2 it passes CLMR after the fifth of 30 epochs, "
        "with five times as many pictures."
    ]
    if all(liwe > clmr for liwe, clmr in losses):
        pairs = " and ".join(f"{liwe:.1f} against {clmr:.1f}" for liwe, clmr in losses)
        told.append(
            f"It is behind on the captions that it learns from as well: its loss at the last step "
            f"is {pairs}, although dropout makes the task harder for CLMR alone. So at least a "
            "part of the lag is in fitting, before new captions come into it: layers over "
            "characters are slower to learn than a table, and these runs are short."
        )
    return [" ".join(told), ""]


def _slow_attention(ledger: Ledger) -> list[str]:
    """Why SCAN is not above VSE++, where its losses tell."""
    found = _between(ledger, "single-en", "SCAN t2i", "VSE++", "en")
    if found is None or found[0] > 0:
        return []
    scan, vsepp = (
        statistics.fmean(run.losses[-1][1] for run in ledger.of("single-en", name))
        for name in ("SCAN t2i", "VSE++")
    )
    if scan <= vsepp:
        return []
    return [
        "SCAN too is still learning where these runs end: its loss at the last step is "
        f"{scan:.1f} in English, that of VSE++ {vsepp:.1f}, with the same batches, though without "
        "dropout on its pictures. Our reading: it has to learn which of 49 cells a word means, "
        "where the paper's 36 boxes are things already.",
        "",
    ]


def co_training_orders(ledger: Ledger) -> list[str]:
    """What the paper says of its table 4, and whether it holds here."""
    lines = [
        "The paper: LIWE does better than both others in all measures, and frozen words do better "
        "than CLMR. Differences of rsum over paired seeds, with 95 % intervals:",
        "",
        "| claim of the paper | en | de |",
        "|---|---|---|",
    ]
    for first, second in (("LIWE", "CLMR"), ("LIWE", "frozen words"), ("frozen words", "CLMR")):
        cells = [verdict(_co_trained(ledger, first, second, tag)) for tag in ("en", "de")]
        lines.append(f"| {first} beats {second} | {' | '.join(cells)} |")
    return [*lines, "", *_behind_in_german(ledger)]


def _behind_in_german(ledger: Ledger) -> list[str]:
    """Where LIWE loses to CLMR in German: how much of it is in English already."""
    english, german = (_co_trained(ledger, "LIWE", "CLMR", tag) for tag in ("en", "de"))
    alone = _between(ledger, "single-de", "LIWE", "CLMR", "de")
    if english is None or german is None or alone is None or sum(german) >= 0:
        return []
    return [
        f"Where it hurts: with German captions LIWE − CLMR is {_interval(alone)} in German, and "
        f"{_interval(german)} through translations alone, while English loses "
        f"{_interval(english)}. What characters have not learned yet on the English side, German "
        "learns from it.",
        "",
    ]


def standing_still(ledger: Ledger) -> list[str]:
    """Whether the maximum stands still from the start, and the annealed loss does not."""
    best: dict[str, list[float]] = {}
    for run in ledger.of("losses"):
        best.setdefault(run.name.rpartition(", ")[2], []).append(run.rsum("en"))
    if not {"max", "annealed", "sum"} <= best.keys():
        return []
    still = sum(rsum < STILL for rsum in best["max"])
    learned = sum(rsum >= STILL for rsum in best["annealed"])
    gaps = [
        f"{verdict(_between(ledger, 'losses', f'{model}, annealed', f'{model}, sum', 'en'))} "
        f"({model})"
        for model in ("CLMR", "LIWE (256, 256)")
    ]
    return [
        f"The maximum stands still from the start in {still} of {len(best['max'])} runs (rsum "
        f"under {STILL:.0f} at its best); the annealed loss learns in {learned} of "
        f"{len(best['annealed'])}. Annealed − sum, rsum: {'; '.join(gaps)}.",
        "",
    ]


def narrow_attention(ledger: Ledger) -> list[str]:
    """Why the block does not help, as far as what was looked at tells."""
    looks = [run.regions for run in ledger.of("non-local") if "width" in run.regions]
    if not looks or max(look["width"] for look in looks) >= NARROW:
        return []
    lines = [
        "Why it does not help here: every region's attention falls on one region (width up to "
        f"{max(look['width'] for look in looks):.3f}). Equation 1 has no temperature, and products "
        "of queries and keys over cells of a ResNet, which are neither normalised nor small, are "
        "so large that the softmax is a maximum. Where the block's output takes the place of the "
        "regions, they become copies of a few of them (*alike*), and their mean tells less.",
    ]
    if gammas := [abs(look["gamma"]) for look in looks if "gamma" in look]:
        apart = statistics.fmean(look["alike"] for look in looks if "gamma" in look)
        lines.append(
            "The residual form adds to the regions, which stay apart "
            f"({apart:.2f}): γ, which starts at 0, ends within {max(gammas):.3f} of it."
        )
    return [" ".join(lines), ""]


def _between(
    ledger: Ledger, table: str, first: str, second: str, language: str
) -> tuple[float, float] | None:
    """First − second in a language's rsum, of two rows of a table."""
    return difference(ledger.of(table, first), ledger.of(table, second), language)


def _co_trained(
    ledger: Ledger, first: str, second: str, language: str
) -> tuple[float, float] | None:
    """The same of two systems that know German from translations alone."""
    rows = (f"{first}: {ON_TEXT}", f"{second}: {ON_TEXT}")
    return _between(ledger, "co-training", *rows, language)


def _interval(found: tuple[float, float]) -> str:
    mean, half = found
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"
