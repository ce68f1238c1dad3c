"""The word vectors of paper 3's tables, made from 22,007 sentences and their translations.

`python recipes/paper_3_vectors.py FOLDER` writes, for English, French, German and Czech,

- `word2vec/`, `fasttext/`: languages trained each by itself, which share nothing;
- `muse/`: the fastText vectors turned onto the English ones by a dictionary, in MUSE's way;
- `bivec/en-xx/`: English and one other language trained together;
- `bivec-joined/`: those three joined through their English halves, as the paper proposes,

by the commands that anybody would use, says what a dictionary's held-out words find among them, and
keeps that in `docs/results/paper-3-vectors.json`. What is there whole is left alone. Needs
POLYGLANCE_MULTI30K_TEXT, `pip install 'polyglance[vectors]'`, and in POLYGLANCE_DICTIONARIES the
files of freedict (Debian's packages dict-freedict-eng-deu, -eng-fra, -eng-ces).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OTHERS = {"fr": "fra", "de": "deu", "cs": "ces"}
LANGUAGES = ("en", *OTHERS)
TRAINING = ("--dimension=300", "--epochs=40", "--min-count=2")
TOGETHER = ("--dimension=300", "--epochs=15", "--min-count=2")  # at a higher rate than gensim's
QUALITY = Path("docs/results/paper-3-vectors.json")


def main() -> None:
    """Make what is missing, and measure all of it."""
    parser = argparse.ArgumentParser(description="the word vectors of paper 3's tables")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    folder: Path = parser.parse_args().folder
    texts, dictionaries = (
        Path(os.environ[f"POLYGLANCE_{name}"]) for name in ("MULTI30K_TEXT", "DICTIONARIES")
    )
    for command, made in commands(folder, texts, dictionaries):
        if not all(path.exists() for path in made):
            vectors(*command)
    QUALITY.write_text(
        json.dumps(qualities(folder, dictionaries), indent=2) + "\n", encoding="utf-8"
    )
    print(f"wrote {QUALITY}")


def commands(
    folder: Path, texts: Path, dictionaries: Path
) -> Iterator[tuple[list[str], list[Path]]]:
    """Arguments of `polyglance vectors`, and the files that are there after it has ended."""
    text = {tag: str(texts / f"train.{tag}.txt") for tag in LANGUAGES}
    for algorithm in ("word2vec", "fasttext"):
        output = folder / algorithm
        for tag in LANGUAGES:
            options = [f"--language={tag}", f"--algorithm={algorithm}", f"--output={output}"]
            ends = ("bin", "vec") if algorithm == "fasttext" else ("vec",)
            made = [output / f"{tag}.{end}" for end in ends]
            yield ["train", text[tag], *options, *TRAINING], made
    for tag in OTHERS:
        files = [str(folder / "fasttext" / f"{each}.vec") for each in (tag, "en")]
        output = folder / "muse"
        entries = dictionary(dictionaries, tag)
        yield ["align", *files, f"--output={output}", *entries], _files(output, tag, "en")
    for tag in OTHERS:
        output = folder / "bivec" / f"en-{tag}"
        options = ["--language=en", f"--language={tag}", "--algorithm=bivec", f"--output={output}"]
        yield ["train", text["en"], text[tag], *options, *TOGETHER], _files(output, "en", tag)
    spaces = [str(folder / "bivec" / f"en-{tag}") for tag in OTHERS]
    output = folder / "bivec-joined"
    yield ["join", *spaces, f"--output={output}"], _files(output, *LANGUAGES)


def _files(folder: Path, *tags: str) -> list[Path]:
    return [folder / f"{tag}.vec" for tag in tags]


def dictionary(folder: Path, tag: str) -> list[str]:
    """Freedict's English dictionary of a language, read backwards, and its own where there is."""
    code = OTHERS[tag]
    forth, back = (
        next(iter(sorted(folder.rglob(f"freedict-{name}.index"))), None)
        for name in (f"{code}-eng", f"eng-{code}")
    )
    found = [f"--dictionary={forth}"] if forth is not None else []
    found += [f"--reverse-dictionary={back}"] if back is not None else []
    if not found:
        raise SystemExit(f"{folder}: no freedict-eng-{code}.index is in it")
    return found


def qualities(folder: Path, dictionaries: Path) -> list[dict[str, object]]:
    """How often a held-out word finds a translation, a space and a language at a time."""
    places = {
        "MUSE-style": "muse",
        "BiVec": "bivec/en-{tag}",
        "BiVec, joined": "bivec-joined",
    }
    found = []
    for name, place in places.items():
        for tag in OTHERS:
            files = [str(folder / place.format(tag=tag) / f"{each}.vec") for each in (tag, "en")]
            entries, output = dictionary(dictionaries, tag), folder / "quality.json"
            vectors("evaluate", *files, *entries, "--held-out=0.1", f"--json={output}")
            quality = json.loads(output.read_text(encoding="utf-8"))
            found.append({"space": name, "language": tag, **quality})
    return found


def vectors(*arguments: str) -> None:
    """Run `polyglance vectors` as a user does."""
    print("polyglance vectors", *arguments, flush=True)
    command = [sys.executable, "-m", "polyglance", "vectors", *arguments]
    subprocess.run(command, check=True)  # noqa: S603 -- all of it is written above


if __name__ == "__main__":
    main()
