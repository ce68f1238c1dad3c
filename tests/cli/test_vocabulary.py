"""`polyglance data vocabulary` writes what the official codes and our recipes read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.data.tiny_features import run

from polyglance.data.manifest import write_manifest
from polyglance.data.record import Record
from polyglance.errors import ManifestError, ModelError
from polyglance.systems.builders.words import WordBuilder
from polyglance.systems.config import CharacterWordsConfig, LearnedWordsConfig
from polyglance.text.segment import Segmenter

MARKS = ["<pad>", "<start>", "<end>", "<unk>"]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    captions = {"en": ("A dog's run.",) * 4, "de": ("Ein Hund läuft.",) * 4, "zh": ("狗跑",) * 4}
    records = [
        Record(id="seen", features="seen", split="train", captions=captions),
        Record(id="held back", features="x", split="test", captions={"en": ("zebra",) * 9}),
    ]
    write_manifest(records, tmp_path / "all.jsonl")
    return tmp_path / "all.jsonl"


def words_of(path: Path) -> list[str]:
    return list(json.loads(path.read_text(encoding="utf-8"))["word2idx"])


def test_words_of_training_captions_alone(manifest: Path, tmp_path: Path) -> None:
    output = tmp_path / "vocab" / "en.json"
    output.parent.mkdir()
    result = run("vocabulary", manifest, "--language", "en", "--output", output)
    assert "10 words, marks among them" in result.output
    assert words_of(output) == [*MARKS, "'", ".", "a", "dog", "run", "s"]
    run("vocabulary", manifest, "--output", output)
    assert {"hund", "dog", "狗"} <= set(words_of(output))
    assert "zebra" not in words_of(output)
    run("vocabulary", manifest, "--output", output, "--min-frequency", "5")
    assert words_of(output) == [*MARKS, "."]  # in all three languages but Chinese


def test_characters(manifest: Path, tmp_path: Path) -> None:
    output = tmp_path / "characters.json"
    run("vocabulary", manifest, "--characters", "--language", "de", "--output", output)
    written = json.loads(output.read_text(encoding="utf-8"))
    assert written["char_level"] is True
    assert "ä" in written["word2idx"]
    assert "狗" not in written["word2idx"]


def test_a_model_reads_the_file_instead_of_captions(manifest: Path, tmp_path: Path) -> None:
    words, characters = tmp_path / "words.json", tmp_path / "characters.json"
    run("vocabulary", manifest, "--output", words)
    run("vocabulary", manifest, "--characters", "--output", characters)
    builder = WordBuilder(segmenter=Segmenter(), training_texts={}, folder=None)
    learned = builder.build(LearnedWordsConfig(vocabulary=words, dimension=3))
    assert learned(learned.prepare(["hund", "zebra"], ["de", "en"])).shape == (2, 3)
    liwe = builder.build(CharacterWordsConfig(alphabet=characters, widths=(4,)))
    assert liwe(liwe.prepare(["hund", "zebra"], ["de", "en"])).shape == (2, 4)
    with pytest.raises(ModelError, match=r"none\.json is missing"):
        builder.build(LearnedWordsConfig(vocabulary=tmp_path / "none.json"))


def test_captions_must_be_there(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no captions for training in fr"):
        run("vocabulary", manifest, "--language", "fr", "--output", tmp_path / "fr.json")
    assert not (tmp_path / "fr.json").exists()


def test_collected_words_are_in_the_lower_case_of_their_language() -> None:
    texts = {"tr": ["İki ışık", "Islak"], "en": ["Island"]}
    builder = WordBuilder(segmenter=Segmenter(), training_texts=texts, folder=None)
    learned = builder.build(LearnedWordsConfig(min_frequency=1, dimension=3))
    assert set(learned.vocabulary.words) - set(MARKS) == {"iki", "ışık", "ıslak", "island"}
