"""``polyglance data vocabulary``: words or characters of captions, in the official layouts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polyglance.data.record import Record


def vocabulary(
    manifest: Annotated[
        Path,
        typer.Argument(
            metavar="MANIFEST",
            help="Captions: .jsonl or .parquet; of its splits, the training ones.",
        ),
    ],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The JSON file to write.")],
    characters: Annotated[
        bool,
        typer.Option("--characters", help="Characters, as LAVSE (LIWE) reads them, and no words."),
    ] = False,
    language: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="May be repeated. If not given, all."),
    ] = None,
    min_frequency: Annotated[
        int | None,
        typer.Option(min=1, help="Rarer ones are left out; 4 for words, 2 for characters."),
    ] = None,
) -> None:
    """Write the words of training captions in the JSON layout of VSE++ and SCAN, or of LAVSE.

    Recipes read such a file, ours or theirs, as `words = { kind = "learned", vocabulary = … }` and
    `{ kind = "characters", alphabet = … }`. Words are cut as this program cuts them, and not by the
    tokenizer of NLTK that those codes call: hyphens and apostrophes inside of a word separate.
    """
    from polyglance.data.files import replaced_when_complete
    from polyglance.data.manifest import read_manifest
    from polyglance.data.splits import LEARNED, of_splits
    from polyglance.errors import ManifestError
    from polyglance.text.alphabet import Alphabet
    from polyglance.text.vocabulary import Vocabulary

    records = of_splits(read_manifest(manifest), LEARNED)
    words = list(_words(records, language or ()))
    if not words:
        tags = f" in {', '.join(language)}" if language else ""
        raise ManifestError(f"{manifest}: there are no captions for training{tags}")
    found: Alphabet | Vocabulary
    if characters:
        found, what = Alphabet.of(words, min_frequency=min_frequency or 2), "characters"
    else:
        found, what = Vocabulary.of(words, min_frequency=min_frequency or 4), "words"
    try:
        with replaced_when_complete(output) as temporary:
            found.save(temporary)
    except OSError as error:
        raise ManifestError(f"{output}: cannot be written: {error.strerror or error}") from None
    typer.echo(f"{output}: {len(found):,} {what}, marks among them")


def _words(records: Sequence[Record], languages: Sequence[str]) -> Iterator[str]:
    """Of all captions in these languages, or in all."""
    from polyglance.text.segment import Segmenter

    segmenter = Segmenter()
    for record in records:
        for tag, captions in record.captions.items():
            if not languages or tag in languages:
                for caption in captions:
                    yield from segmenter.words(caption, tag)
