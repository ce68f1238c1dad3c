"""Translation: what transformers itself says of the official tokenizers, and the memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.text.tiny_translators import TEXTS, save_tiny_translators

from polyglance.errors import ModelError
from polyglance.text.translation import Translator

LENGTH = 10


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of tiny models."""
    folder = tmp_path_factory.mktemp("models")
    save_tiny_translators(folder)
    return folder


def translator(folder: Path, **settings: Any) -> Translator:
    found = Translator.load(folder, **({"source": "en", "target": "zh"} | settings))
    found._max_length = LENGTH
    return found


def official(folder: Path, texts: list[str], *, beams: int = 4, **inputs: Any) -> list[str]:
    """What the documentation of transformers says to write, one text at a time."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    model.generation_config.max_length = None
    if source := inputs.pop("src_lang", None):
        tokenizer.src_lang = source
    if first := inputs.pop("first", None):
        inputs["forced_bos_token_id"] = tokenizer.convert_tokens_to_ids(first)
    found = []
    for text in texts:
        encoded = tokenizer([text], return_tensors="pt", truncation=True, max_length=LENGTH)
        said = model.generate(**encoded, num_beams=beams, max_new_tokens=LENGTH, **inputs)
        found += tokenizer.batch_decode(said, skip_special_tokens=True)
    return [text.removeprefix(first or "").strip() for text in found]


def test_marian_of_two_languages(models: Path) -> None:
    found = translator(models / "marian").translate(TEXTS, batch_size=3)
    assert found == official(models / "marian", TEXTS)
    assert len(set(found)) > 1


def test_marian_of_many_languages_is_told_the_target_before_the_text(models: Path) -> None:
    told = [f">>zh<< {text}" for text in TEXTS]
    found = translator(models / "marian-many").translate(TEXTS)
    assert found == official(models / "marian-many", told)
    german = translator(models / "marian-many", target="de", target_code="deu").translate(TEXTS)
    assert german == official(models / "marian-many", [f">>deu<< {text}" for text in TEXTS])
    assert german != found
    with pytest.raises(ModelError, match=r"no language 'fr'; .* one of: >>deu<<, >>zh<<"):
        translator(models / "marian-many", target="fr")


def test_m2m100_is_told_the_source_before_the_text_and_says_the_target_first(models: Path) -> None:
    found = translator(models / "m2m100", beams=2).translate(TEXTS, batch_size=2)
    expected = official(models / "m2m100", TEXTS, beams=2, src_lang="en", first="__zh__")
    assert found == expected
    back = translator(models / "m2m100", source="zh-x-one", target="en-x-two", beams=2)
    expected = official(models / "m2m100", TEXTS, beams=2, src_lang="zh", first="__en__")
    assert back.translate(TEXTS) == expected
    assert expected != found


def test_nllb_has_codes_of_its_own(models: Path) -> None:
    found = translator(models / "nllb").translate(TEXTS)
    expected = official(models / "nllb", TEXTS, src_lang="eng_Latn", first="zho_Hans")
    assert found == expected
    named = translator(
        models / "nllb", source="zh-Hant", source_code="zho_Hant", target="de"
    ).translate(TEXTS)
    assert named == official(models / "nllb", TEXTS, src_lang="zho_Hant", first="deu_Latn")
    with pytest.raises(ModelError, match="no language 'tlh'; name it by the model's own code"):
        translator(models / "nllb", target="tlh")
    with pytest.raises(ModelError, match="no language 'xyz_Latn'"):
        translator(models / "nllb", target_code="xyz_Latn")


def test_equal_texts_are_translated_once_and_remembered(models: Path, tmp_path: Path) -> None:
    first = translator(models / "marian", memories=tmp_path)
    asked: list[str] = []
    generate = first._generate
    first._generate = lambda texts: asked.extend(texts) or generate(texts)  # type: ignore
    done: list[int] = []
    found = first.translate([*TEXTS, *TEXTS], advance=done.append)
    assert sorted(asked) == sorted(TEXTS)
    assert sum(done) == 8
    assert found[:4] == found[4:]
    again = translator(models / "marian", memories=tmp_path)
    again._generate = lambda _texts: pytest.fail("it is remembered")  # type: ignore
    assert again.translate(TEXTS[::-1]) == found[:4][::-1]
    (kept,) = tmp_path.iterdir()
    assert kept.suffix == ".jsonl"
    rows = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines() if line]
    assert {row["text"]: row["translation"] for row in rows} == dict(
        zip(TEXTS, found, strict=False)
    )


def test_a_torn_line_costs_one_translation(models: Path, tmp_path: Path) -> None:
    found = translator(models / "marian", memories=tmp_path).translate(TEXTS, batch_size=1)
    (kept,) = tmp_path.iterdir()
    os.truncate(kept, kept.stat().st_size - 4)
    again = translator(models / "marian", memories=tmp_path)
    asked: list[str] = []
    generate = again._generate
    again._generate = lambda texts: asked.extend(texts) or generate(texts)  # type: ignore
    assert again.translate(TEXTS) == found
    assert len(asked) == 1
    third = translator(models / "marian", memories=tmp_path)
    third._generate = lambda _texts: pytest.fail("it is remembered")  # type: ignore
    assert third.translate(TEXTS) == found


def test_another_model_language_or_beam_has_another_memory(models: Path) -> None:
    chosen = [
        translator(models / "m2m100"),
        translator(models / "m2m100", target="de"),
        translator(models / "m2m100", source="de"),
        translator(models / "m2m100", beams=1),
        translator(models / "marian"),
    ]
    assert len({one.fingerprint for one in chosen}) == 5
    assert translator(models / "m2m100").fingerprint == chosen[0].fingerprint


def test_what_is_no_translation_model_is_refused(models: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="neither a folder here nor in the local cache"):
        translator(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no translation model at"):
        translator(tmp_path / "empty")
