"""``polyglance explain``: where in a picture a model sees what a text says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
LONGEST_SIDE = 2048  # pixels of what is written; a map has some hundred cells


def explain(
    image: Annotated[Path, typer.Argument(metavar="PICTURE", help="A picture file.")],
    text: Annotated[
        str, typer.Argument(metavar="WORDS", help="Words, in any language of the model's.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The picture with the map over it: .png, .jpg, .webp."),
    ],
    language: Annotated[
        str | None, typer.Option(help="Language tag of the words, such as de or zh-Hant.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="A built-in model's name or a checkpoint's folder.")
    ] = "mini",
) -> None:
    """Draw a heat map: bright where the model sees what the words say.

    Colours compare places within one picture only: the hottest place is bright even where nothing
    matches, which the score tells.
    """
    _check_output(image, output)
    from polyglance.cli.search import spoken
    from polyglance.search.query import Query, language_warning
    from polyglance.search.terms import NOT_GIVEN

    asked = Query.of(text, language=language)

    from polyglance.cli.outputs import writing
    from polyglance.data.decode import open_picture
    from polyglance.data.files import replaced_when_complete
    from polyglance.retriever import Retriever

    picture = open_picture(image, target_size=LONGEST_SIDE)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    retriever = Retriever.load(model)
    asked = asked.understood(retriever.languages)
    tag = None if asked.language == NOT_GIVEN else asked.language
    found = retriever.explain(picture, asked.text or "", language=tag)
    with writing(output), replaced_when_complete(output) as temporary:
        found.overlay(picture).save(temporary, FORMATS[output.suffix.lower()])
    peak = found.peak
    typer.echo(f"language: {spoken(asked)}")
    if warning := language_warning(found.language, retriever.languages):
        typer.echo(warning)
    typer.echo(f"score: {found.score:.3f}")
    typer.echo(f"hottest place: {peak}, {peak.x:.0%} from the left and {peak.y:.0%} from the top")
    typer.echo(f"wrote {output}")


def _check_output(image: Path, output: Path) -> None:
    """Refuse what cannot be written, or must not be."""
    from polyglance.cli.outputs import require_file
    from polyglance.errors import ConfigError

    if output.suffix.lower() not in FORMATS:
        raise ConfigError(f"--output {output}: a picture's name ends in {', '.join(FORMATS)}")
    require_file("--output", output)
    if output.exists() and image.exists() and output.samefile(image):
        raise ConfigError(f"--output {output}: this is the picture itself; name another file")
