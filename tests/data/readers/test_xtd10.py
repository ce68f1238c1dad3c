"""XTD10: captions beside a list of COCO pictures."""

from pathlib import Path

import pytest

from polyglance.data.readers import READERS, ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError

SEEN, UNSEEN = "COCO_train2014_000000061844.jpg", "COCO_val2014_000000000042.jpg"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for name, text in {
        "XTD10/test_image_names.txt": f"{SEEN}\n{UNSEEN}\n",
        "XTD10/test_1kcaptions_en.txt": "a game\na cat\n",
        "XTD10/test_1kcaptions_zh.txt": "棒球\r\n一只猫",
        "MIC/test_1kcaptions_de.txt": "Ein Spiel\nEine Katze\n",
        "STAIR/test_1kcaptions_jp.txt": "試合\n猫\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return tmp_path


def test_reads_all_languages_and_warns_of_what_coco_models_have_seen(dataset: Path) -> None:
    (dataset / "coco/train2014").mkdir(parents=True)
    (dataset / "coco/train2014" / SEEN).touch()
    options = ReaderOptions(images=dataset / "coco")
    with pytest.warns(UserWarning, match=r"1 of XTD10's 2 pictures are in COCO train2014"):
        seen, unseen = READERS["xtd10"]([dataset], options)
    assert seen == Record(
        id=SEEN,
        image=dataset / "coco/train2014" / SEEN,
        captions={"de": ("Ein Spiel",), "ja": ("試合",), "en": ("a game",), "zh": ("棒球",)},
        split="test",
        extra={"coco_part": "train2014"},
    )
    assert unseen.image == dataset / "coco" / UNSEEN
    assert unseen.extra == {"coco_part": "val2014"}


def test_unseen_pictures_alone_need_no_warning(
    dataset: Path, recwarn: pytest.WarningsRecorder
) -> None:
    for path in dataset.rglob("*.txt"):
        path.write_text(path.read_text().splitlines()[1])
    (record,) = READERS["xtd10"]([dataset], ReaderOptions(languages=("ja",)))
    assert record.captions == {"ja": ("猫",)}
    assert not recwarn.list


def test_errors_name_the_file(dataset: Path) -> None:
    (dataset / "MIC/test_1kcaptions_de.txt").write_text("Ein Spiel\n")
    with pytest.raises(ManifestError, match=r"captions_de\.txt: 1 lines, but .*names\.txt has 2"):
        list(READERS["xtd10"]([dataset], ReaderOptions()))
    (dataset / "MIC/test_1kcaptions_de.txt").write_text("Ein Spiel\n\n")
    with pytest.raises(ManifestError, match=r"captions_de\.txt, line 2: an empty caption"):
        list(READERS["xtd10"]([dataset], ReaderOptions()))
    with pytest.raises(ManifestError, match=r"MIC: 0 files test_image_names\.txt inside"):
        list(READERS["xtd10"]([dataset / "MIC"], ReaderOptions()))
