"""The main job, end to end, on sample pictures: measure, adapt, measure again, index, search."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polyglance.evaluation.results import Report
    from polyglance.search.contact_sheet import SheetRow

MODEL = "mini"
HITS = 6


@dataclass(frozen=True, slots=True)
class Question:
    """A query of the demo, and what it means in English."""

    language: str
    text: str
    meaning: str


LANGUAGES = (
    "en",
    "de",
    "fr",
    "cs",
    "es",
    "it",
    "pt",
    "nl",
    "pl",
    "ru",
    "tr",
    "ar",
    "hi",
    "zh",
    "ja",
    "ko",
    "th",
)
QUESTIONS: Mapping[str, Sequence[Question]] = {
    "emoji": (
        Question("en", "a slice of pizza", "a slice of pizza"),
        Question("de", "eine reife Erdbeere", "a ripe strawberry"),
        Question("fr", "un chat qui rit", "a laughing cat"),
        Question("cs", "starý hrad", "an old castle"),
        Question("es", "coche de policía", "police car"),
        Question("ru", "снеговик", "snowman"),
        Question("ar", "جمل في الصحراء", "a camel in the desert"),
        Question("hi", "हाथी", "elephant"),
        Question("zh", "雨后的彩虹", "rainbow after the rain"),
        Question("ja", "寿司", "sushi"),
        Question("ko", "기타", "guitar"),
        Question("tr", "uçak", "aeroplane"),
    ),
    "stamps": (
        Question("en", "a lion", "a lion"),
        Question("de", "eine alte Lokomotive", "an old locomotive"),
        Question("fr", "une citrouille", "a pumpkin"),
        Question("cs", "motýl", "butterfly"),
        Question("es", "una guitarra", "a guitar"),
        Question("ru", "слон", "elephant"),
        Question("ar", "حصان", "horse"),
        Question("hi", "केला", "banana"),
        Question("zh", "红苹果", "red apple"),
        Question("ja", "ペンギン", "penguin"),
        Question("ko", "비행기", "aeroplane"),
        Question("tr", "çiçek", "flower"),
    ),
}


def run_demo(samples: str, output: Path) -> None:
    """Run the demo on one of the sample sets; what an earlier run made in ``output`` is reused.

    Raises:
        WeightsError: the towers or the pictures cannot be fetched.
    """
    from polyglance.weights.fetch import ensure_all
    from polyglance.weights.samples import WHOLE

    with _step("pretrained towers and sample pictures"):
        folder = ensure_all([MODEL, samples])[samples]
    with _step(f"measuring {MODEL} on unseen {samples}"):
        before = measured(MODEL, folder / "test.jsonl", output / "before.json")
    with _step(f"adapting {MODEL} on the training captions"):
        adapted = adapt(folder / "train.jsonl", output)
    with _step("measuring the adapted model on the same pictures"):
        after = measured(str(adapted), folder / "test.jsonl", output / "after.json")
    show_comparison(before, after)
    collection = output / "collection"
    with _step("indexing the pictures"):
        index_pictures(folder / WHOLE, collection, adapted)
    with _step(f"asking in {len(QUESTIONS[samples])} languages"):
        sheet = output / "contact-sheet.png"
        ask(QUESTIONS[samples], collection, sheet)
    print(f"\nThe hits as a picture: {sheet}")
    print(f"The same in a browser: polyglance serve --collection {collection}")


def measured(model: str, manifest: Path, report: Path) -> Report:
    """Measure a model, or read the report if that very model was measured already."""
    from polyglance.data.manifest import read_manifest
    from polyglance.evaluation.results import Report
    from polyglance.evaluation.retriever import evaluate_retriever
    from polyglance.retriever import Retriever
    from polyglance.systems.checkpoint import fingerprint
    from polyglance.systems.locate import locate

    if report.exists():
        earlier = Report.load(report)
        if earlier.fingerprint == fingerprint(locate(model)):
            return earlier
    found = evaluate_retriever(
        Retriever.load(model),
        read_manifest(manifest),
        languages=LANGUAGES,
        manifest=manifest.name,
        show_progress=True,
    )
    report.parent.mkdir(parents=True, exist_ok=True)
    found.save(report)
    return found


def adapt(manifest: Path, output: Path) -> Path:
    """Train the built-in model's heads on a manifest; a finished run is reused."""
    from polyglance.training.recipe import validate_recipe
    from polyglance.training.run import train

    recipe = validate_recipe(
        {
            "name": "demo",
            "data": {"train": str(manifest), "languages": dict.fromkeys(LANGUAGES, 1.0)},
            "model": {"checkpoint": MODEL},
            "training": {
                "batch_size": 128,
                "clip_gradients": 1.0,
                "phases": [
                    {
                        "epochs": 24,
                        "frozen": ["image.backbone"],
                        "optimizer": "adamw",
                        "learning_rate": 1e-3,
                        "weight_decay": 0.05,
                        "schedule": {"kind": "cosine"},
                    }
                ],
            },
        },
        "the demo's recipe",
    )
    run = train(recipe, output / "adapted")
    if run.signal is not None:
        raise KeyboardInterrupt
    return output / "adapted" / "model"


def show_comparison(before: Report, after: Report) -> None:
    """Both tables side by side, and the worst language named."""
    from rich.console import Console

    from polyglance.evaluation.comparison import comparison_lines, comparison_table

    titles = ("as shipped", "adapted")
    Console().print(comparison_table(before, after, titles=titles))
    for line in comparison_lines(before, after, titles=titles):
        print(f"  {line}")


def index_pictures(manifest: Path, collection: Path, model: Path) -> None:
    """Bring the collection up to date; begun anew where another model had filled it."""
    import shutil

    from polyglance.errors import CollectionError
    from polyglance.retriever import Retriever
    from polyglance.search.collection import read_info
    from polyglance.search.indexer import index

    retriever = Retriever.load(model)
    try:
        ours = read_info(collection).fingerprint == retriever.fingerprint
    except CollectionError:  # none yet, or half made
        ours = False
    if not ours:
        shutil.rmtree(collection, ignore_errors=True)
    summary = index(manifest, collection, encoder=retriever, show_progress=True)
    print(f"  {summary.pictures} pictures, {summary.encoded} encoded")


def ask(questions: Sequence[Question], collection: Path, sheet: Path) -> None:
    """Answer the questions on the terminal and as a contact sheet."""
    from polyglance.search.contact_sheet import SheetRow, write_contact_sheet
    from polyglance.search.opening import open_searcher
    from polyglance.search.query import Query

    searcher = open_searcher(collection)
    rows: list[SheetRow] = []
    for question in questions:
        query = Query.of(question.text, language=question.language)
        hits = searcher.search(query, top=HITS)
        print(f"  {question.language}  {question.text} ({question.meaning}): {hits[0].path.name}")
        rows.append(
            SheetRow(
                query=question.text,
                language=question.language,
                meaning=question.meaning,
                hits=[(hit.path, hit.score) for hit in hits],
            )
        )
    write_contact_sheet(rows, sheet)


@contextmanager
def _step(what: str) -> Iterator[None]:
    print(f"▸ {what}", flush=True)
    started = time.monotonic()
    yield
    print(f"  {time.monotonic() - started:.1f} s", flush=True)
