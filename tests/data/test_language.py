"""Language tags."""

import pytest

from polyglance.data.language import (
    is_language_tag,
    is_machine_translated,
    primary_language,
    writes_spaces,
)


@pytest.mark.parametrize(
    "tag", ["no", "en", "de", "fil", "quz", "zh-Hant", "zh-baidu", "zh-x-google", "pt-BR", "x-elv"]
)
def test_tags_in_use_pass(tag: str) -> None:
    assert is_language_tag(tag)


@pytest.mark.parametrize(
    "tag",
    ["", "e", "english", "zh_Hant", "pt_BR", "en-", "-en", "en--US", "de ", "ж", "de\n", "x-"],
)
def test_what_is_no_tag_is_refused(tag: str) -> None:
    assert not is_language_tag(tag)


def test_primary_language() -> None:
    assert primary_language("zh-baidu") == "zh"
    assert primary_language("NO") == "no"


def test_languages_without_spaces() -> None:
    assert [tag for tag in ("zh-Hant", "ja", "en", "ko", "th") if not writes_spaces(tag)] == [
        "zh-Hant",
        "ja",
        "th",
    ]


def test_engines_mark_machine_translation() -> None:
    assert is_machine_translated("zh-baidu")
    assert is_machine_translated("zh-x-google")
    assert is_machine_translated("de-x-mt-en")
    assert not is_machine_translated("zh-Hant")
    assert not is_machine_translated("en")
