"""Results in the JSON of CLIP_benchmark, so that they stand beside published ones.

``image_retrieval_recall@k`` is the share of texts whose picture is among the first k,
``text_retrieval_recall@k`` the share of pictures with any of their captions among the first k, both
between 0 and 1. One file a language.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from polyglance.data.files import replaced_when_complete
from polyglance.evaluation.metrics import RECALLS
from polyglance.evaluation.results import BothDirections, Report

TASK = "zeroshot_retrieval"


def clip_benchmark_results(report: Report) -> list[dict[str, Any]]:
    """One result a language, in CLIP_benchmark's keys."""
    return [
        {
            "dataset": _stem(report.manifest) or "manifest",
            "model": report.model,
            "pretrained": report.fingerprint[:16],
            "task": TASK,
            "metrics": _shares(result.scores),
            "language": tag,
        }
        for tag, result in report.languages.items()
    ]


def write_clip_benchmark(report: Report, folder: Path) -> list[Path]:
    """Write one file a language into ``folder`` and return them."""
    written = []
    for result in clip_benchmark_results(report):
        keys = ("dataset", "model", "pretrained", "language", "task")
        name = "_".join(re.sub(r"[^\w.-]+", "-", str(result[key])).strip("-") for key in keys)
        path = folder / f"{name}.json"
        with replaced_when_complete(path) as temporary:
            temporary.write_text(json.dumps(result, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _shares(scores: BothDirections) -> dict[str, float]:
    ways = {
        "image_retrieval_recall": scores.text_to_image,
        "text_retrieval_recall": scores.image_to_text,
    }
    return {
        f"{key}@{name[2:]}": way.metrics.as_dict()[name] / 100
        for key, way in ways.items()
        for name in RECALLS
    }


def _stem(manifest: str) -> str:
    """``…/flickr8k/val.jsonl`` → ``flickr8k-val``: splits of datasets share their names."""
    path = Path(manifest)
    return "-".join(part for part in (path.parent.name, path.stem) if part)
