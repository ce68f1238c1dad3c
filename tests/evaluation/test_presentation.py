"""Tables, pages and other formats say what was measured, and nothing else."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from polyglance.errors import ConfigError
from polyglance.evaluation.clip_benchmark import clip_benchmark_results, write_clip_benchmark
from polyglance.evaluation.comparison import comparison_lines, comparison_table
from polyglance.evaluation.page import html_page, markdown_page, write_report
from polyglance.evaluation.protocol import Texts, evaluate_embeddings
from polyglance.evaluation.results import Report, Skipped
from polyglance.evaluation.tables import (
    captions_each,
    markdown_table,
    report_table,
    summary_lines,
    text_to_text_table,
)


def measured(noise: float = 1.0, **how) -> Report:
    generator = np.random.default_rng(0)
    images = generator.normal(size=(40, 16))

    def texts(each, extra):
        ids = np.repeat(np.arange(40), each)
        return Texts(images[ids] + noise * extra * generator.normal(size=(len(ids), 16)), ids)

    captions = {"en": texts(2, 0.5), "zh-baidu": texts(1, 3.0)}
    how = {"draws": 50, "parallel": captions, **how}
    report = evaluate_embeddings(images, range(40), captions, **how)
    return replace(
        report, model="mini", fingerprint="abcdef0123456789", manifest="photos/val.jsonl"
    )


@pytest.fixture(scope="module")
def report() -> Report:
    return measured()


def printed(*things, width=104) -> str:
    console = Console(width=width, color_system=None, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(*things)
    return capture.get()


def test_the_table_shows_every_recall_and_interval(report):
    text = printed(report_table(report))
    english = report.languages["en"].scores
    for way in (english.text_to_image, english.image_to_text):
        for name in ("R@1", "R@5", "R@10"):
            low, high = way.intervals[name]
            assert f"{way.metrics.as_dict()[name]:.1f}" in text
            assert f"{low:.1f}–{high:.1f}".replace("100.0", "100") in text
    assert re.search(r"^zh-baidu .*\nworst ", text, flags=re.MULTILINE)
    assert text.count("worst") == 1
    assert "2 × 40" in text
    assert f"{report.mean.rsum:.1f}" in text
    assert "…" not in text


def test_a_narrow_terminal_gets_the_numbers_whole(report):
    text = printed(report_table(report, intervals=False), width=80)
    assert "…" not in text
    assert f"{report.languages['en'].scores.rsum:.1f}" in text


def test_one_language_is_not_called_the_worst(report):
    alone = replace(report, languages={"en": report.languages["en"]})
    assert "worst" not in printed(report_table(alone))
    assert "worst" not in markdown_table(alone)


def test_captions_an_image_show_their_range():
    uneven = Texts(np.eye(3)[[0, 0, 1]], [0, 0, 1])
    result = evaluate_embeddings(np.eye(3), range(3), {"en": uneven}, draws=0).languages["en"]
    assert captions_each(result) == "1.5 (1–2)"


def test_the_summary_names_gallery_worst_language_and_variance(report):
    text = "\n".join(summary_lines(report))
    assert "text→image gallery: 40 pictures (all)" in text
    assert "40 to 80" in text
    assert "worst language: zh-baidu" in text
    assert "mean rank variance" in text
    assert "50 bootstrap draws" in text
    folded = "\n".join(summary_lines(measured(folds=4, draws=0, gallery="captioned")))
    assert "mean of 4 folds" in folded
    assert "10 pictures (captioned in the language)" in folded
    assert "bootstrap" not in folded


def test_translations_have_a_table_only_where_there_are_any(report):
    text = printed(text_to_text_table(report))
    assert f"{report.text_to_text['en']['zh-baidu'].recalls['R@1']:.1f}" in text
    assert text_to_text_table(measured(parallel=None)) is None


def test_markdown_has_a_row_for_each_language_and_the_mean(report):
    rows = markdown_table(report).splitlines()
    assert len(rows) == 2 + 2 + 1
    assert len({row.count("|") for row in rows}) == 1
    assert "**zh-baidu (worst)**" in rows[3]
    assert "**mean**" in rows[4]


def test_comparison_shows_both_and_the_change(report):
    better = measured(noise=0.5)
    text = printed(comparison_table(report, better, titles=("untrained", "adapted")))
    one, other = report.languages["en"].scores, better.languages["en"].scores
    for value in (one.rsum, other.rsum, other.text_to_image.metrics.recall_at_1):
        assert f"{value:.1f}" in text
    assert f"{other.rsum - one.rsum:+.1f}" in text
    assert "untrained" in text
    assert "adapted" in text
    lines = "\n".join(comparison_lines(report, better, titles=("untrained", "adapted")))
    assert "worst language untrained: zh-baidu" in lines
    assert "worst language adapted: zh-baidu" in lines
    assert "among 40 pictures" in lines


def test_what_cannot_be_compared_is_refused(report):
    only_english = replace(report, languages={"en": report.languages["en"]})
    for other in (replace(report, images=39), replace(report, gallery="captioned"), only_english):
        with pytest.raises(ConfigError, match="cannot be compared"):
            comparison_table(report, other)


def test_the_page_is_whole_and_loads_nothing(report, tmp_path):
    skipped = (Skipped("a<b>.jpg", "empty (0 bytes)"),)
    page = html_page(replace(report, skipped=skipped, warnings=("seen & known",)))
    write_report(report, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html_page(report)
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    plots = [b64decode(data).decode() for data in re.findall(r"base64,([^\"]+)", page)]
    assert len(plots) == 2
    assert all("zh-baidu" in plot for plot in plots)
    assert "a&lt;b&gt;.jpg: empty" in page
    assert "seen &amp; known" in page
    assert "1 picture could not be read" in page
    english = report.languages["en"].scores.text_to_image
    assert f"{english.metrics.ndcg_at_10:.3f}" in page
    assert "80</td>" in page  # queries: captions in English


def test_the_page_repeats_itself_exactly(report):
    assert html_page(report) == html_page(report)


def test_the_markdown_page(report, tmp_path):
    write_report(replace(report, warnings=("mind the gap",)), tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# mini on photos/val.jsonl")
    assert markdown_table(report) in text
    assert "**Warning:** mind the gap" in text
    assert markdown_page(report) != text


def test_other_suffixes_are_refused(report, tmp_path):
    with pytest.raises(ConfigError, match=r"\.html or \.md"):
        write_report(report, tmp_path / "report.pdf")


def test_clip_benchmark_gets_shares_and_its_own_names(report, tmp_path):
    english, _ = clip_benchmark_results(report)
    assert set(english) == {"dataset", "model", "pretrained", "task", "metrics", "language"}
    assert english["dataset"] == "photos-val"
    assert english["task"] == "zeroshot_retrieval"
    scores = report.languages["en"].scores
    assert english["metrics"] == {
        "image_retrieval_recall@1": scores.text_to_image.metrics.recall_at_1 / 100,
        "image_retrieval_recall@5": scores.text_to_image.metrics.recall_at_5 / 100,
        "image_retrieval_recall@10": scores.text_to_image.metrics.recall_at_10 / 100,
        "text_retrieval_recall@1": scores.image_to_text.metrics.recall_at_1 / 100,
        "text_retrieval_recall@5": scores.image_to_text.metrics.recall_at_5 / 100,
        "text_retrieval_recall@10": scores.image_to_text.metrics.recall_at_10 / 100,
    }
    written = write_clip_benchmark(replace(report, model="runs/my model"), tmp_path / "new")
    assert [json.loads(path.read_text())["language"] for path in written] == ["en", "zh-baidu"]
    assert all(path.parent == tmp_path / "new" for path in written)
