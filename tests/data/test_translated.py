"""Captions drawn with their machine translations: which belong together, and in what order."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polyglance.data.batch import Batch, Translated
from polyglance.data.dataset import Pictures, TensorSource, assemble, stream
from polyglance.data.manifest import read_manifest
from polyglance.data.noise import Noise, NoiseRates
from polyglance.data.record import Record
from polyglance.data.sampler import CaptionSampler, Pick
from polyglance.data.translated import TranslatedCaptions, human_captions, machine_translations
from polyglance.errors import ConfigError
from polyglance.text.segment import word_spans

BACK = {"zh-baidu": "en-x-zh-baidu"}


def dataset(count: int) -> list[Record]:
    return [
        Record(
            id=f"p{n}",
            captions={
                "en": tuple(f"caption {n} {row}" for row in range(3)),
                "zh": (f"人写的 {n} 0", f"人写的 {n} 1"),
            },
            machine_translated={
                "zh-baidu": tuple(f"百度 {n} {row}" for row in range(3)),
                "zh-google": tuple(f"谷歌 {n} {row}" for row in range(3)),
                "en-x-zh-baidu": tuple(f"back {n} {row}" for row in range(3)),
            },
        )
        for n in range(count)
    ]


def translations(records: list[Record], **settings_: object) -> TranslatedCaptions:
    chosen: dict[str, object] = {"source": "en", "target": "zh", "engines": ["zh-baidu"]}
    return machine_translations(records, **(chosen | settings_))  # type: ignore[arg-type]


def sampler(count: int = 12, **settings_: object) -> CaptionSampler:
    records = dataset(count)
    chosen: dict[str, object] = {
        "batch_size": 5,
        "translated": translations(records, engines=["zh-baidu", "zh-google"]),
        "seed": 3,
    }
    return CaptionSampler(records, **(chosen | settings_))  # type: ignore[arg-type]


def translated(batch: Batch | None) -> Translated:
    assert batch is not None
    assert batch.translated is not None
    return batch.translated


def sides(picks: list[Pick]) -> tuple[list[Pick], list[Pick]]:
    return picks[: len(picks) // 2], picks[len(picks) // 2 :]


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(1, 30),
    batch_size=st.integers(1, 9),
    captions=st.integers(1, 4),
    epoch=st.integers(0, 3),
)
def test_sources_come_first_and_their_translations_after_them_in_the_same_order(
    count: int, batch_size: int, captions: int, epoch: int
) -> None:
    drawn = sampler(count, batch_size=batch_size, captions_per_picture=captions)
    pictures: list[int] = []
    for step in range(drawn.steps_per_epoch):
        sources, targets = sides(drawn.batch(epoch, step))
        pictures += dict.fromkeys(pick.picture for pick in targets)
        for source, target in zip(sources, targets, strict=True):
            assert (source.language, target.language) == ("en", "zh")
            assert source.picture == target.picture
            assert target.caption.split()[1:] == source.caption.split()[1:]
            assert target.caption.split()[1] == str(target.picture)
            assert target.pair is not None
            assert target.pair[:2] == (source.caption, target.caption)
        assert max(Counter(pick.caption for pick in targets).values()) == 1
    assert sorted(pictures) == list(range(count))


def test_engines_are_drawn_alike() -> None:
    drawn = sampler(2000, batch_size=2000).batch(0, 0)
    engines = Counter(pick.caption.split()[0] for pick in sides(drawn)[1])
    assert set(engines) == {"百度", "谷歌"}
    assert abs(engines["百度"] / 2000 - 0.5) < 0.04


def test_resume_is_exact_and_other_translations_are_refused() -> None:
    def drawn(start: CaptionSampler, steps: int) -> list[list[Pick]]:
        return [start.batch(at.epoch, at.step) for at in islice(start.places(), steps)]

    stopped = sampler()
    stopped.state = next(islice(stopped.places(), 4, None))
    resumed = sampler()
    resumed.load_state_dict(stopped.state_dict())
    assert drawn(resumed, 5) == drawn(sampler(), 9)[4:]
    records = dataset(12)
    captions = {**records[3].captions, "en": ("caption 3 0", "changed", "caption 3 2")}
    records[3] = Record(
        id="p3", captions=captions, machine_translated=records[3].machine_translated
    )
    changed = sampler(translated=translations(records, engines=["zh-baidu", "zh-google"]))
    for other in (changed, CaptionSampler(dataset(12), batch_size=5, seed=3)):
        with pytest.raises(ConfigError, match="have changed since the checkpoint"):
            other.load_state_dict(stopped.state_dict())


def test_plain_batches_are_those_that_they_were() -> None:
    plain = CaptionSampler(dataset(12), batch_size=5, seed=3).batch(0, 0)
    assert all(pick.pair is None for pick in plain)
    batch = assemble(plain, TensorSource(torch.zeros(12, 1)))
    assert batch is not None
    assert batch.translated is None


def test_the_batch_has_the_texts_of_both_sides() -> None:
    records = dataset(12)
    drawn = sampler(translated=translations(records, back=BACK), captions_per_picture=2)
    _, batch = next(stream(drawn, TensorSource(torch.zeros(12, 1))))
    pairs = translated(batch)
    assert batch.texts == [*pairs.sources, *pairs.targets]
    assert batch.languages == ["en"] * len(pairs.sources) + pairs.target_languages
    assert pairs.target_languages == ["zh"] * len(pairs.targets)
    assert pairs.source_language == "en"
    assert batch.text_image_ids.tolist() == pairs.image_ids.tolist() * 2
    assert pairs.back is not None
    assert [text.split()[1:] for text in pairs.back] == [t.split()[1:] for t in pairs.sources]
    same = [[a.split()[1] == b.split()[1] for b in pairs.targets] for a in pairs.sources]
    assert pairs.positives.tolist() == same
    assert sum(map(sum, same)) == 2 * len(pairs.sources)
    assert drawn.pairs_per_step == pytest.approx(12 * 2 * 2 / 3)


def test_a_picture_that_cannot_be_read_takes_its_pair_along() -> None:
    class Holes(TensorSource):
        def load(self, pictures: list[int], *, epoch: int = 0) -> Pictures:  # type: ignore[override]
            return super().load([p for p in pictures if p % 2], epoch=epoch)

    batch = assemble(sampler(12, batch_size=12).batch(0, 0), Holes(torch.zeros(12, 1)))
    pairs = translated(batch)
    assert len(pairs.sources) == len(pairs.targets) == 6
    assert set((pairs.image_ids % 2).tolist()) == {1}
    assert batch is not None
    assert batch.texts == [*pairs.sources, *pairs.targets]


def test_pictures_without_translations_are_left_out_and_without_one_engine_use_the_other() -> None:
    records = dataset(4)
    only_google = {"zh-google": records[1].machine_translated["zh-google"]}
    records[0] = Record(id="p0", captions=records[0].captions)
    records[1] = Record(id="p1", captions=records[1].captions, machine_translated=only_google)
    records[2] = Record(id="p2", machine_translated=records[2].machine_translated)
    captions = translations(records, engines=["zh-baidu", "zh-google"])
    drawn = CaptionSampler(records, batch_size=4, translated=captions)
    assert drawn.pictures == [1, 3]
    for epoch in range(9):
        texts = {pick.picture: pick.caption for pick in sides(drawn.batch(epoch, 0))[1]}
        assert texts[1].startswith("谷歌")


def test_what_says_the_same_is_never_pushed_apart() -> None:
    records = [
        Record(
            id=f"p{n}",
            captions={"en": (source,)},
            machine_translated={"zh-baidu": (target,)},
        )
        for n, (source, target) in enumerate([("A dog.", "狗"), ("a dog", "犬"), ("cur", "狗。")])
    ]
    drawn = CaptionSampler(records, batch_size=3, translated=translations(records))
    batch = assemble(sorted(drawn.batch(0, 0), key=lambda p: (p.language, p.picture)),
                     TensorSource(torch.zeros(3, 1)))  # fmt: skip
    pairs = translated(batch)
    assert pairs.image_ids.tolist() == [0, 1, 2]
    expected = [[True, True, True], [True, True, False], [True, False, True]]
    assert pairs.positives.tolist() == expected
    assert batch is not None
    order = batch.image_ids.argsort()
    assert batch.positives[order].tolist() == [
        [True, True, False, True, False, True],
        [True, True, False, False, True, False],
        [False, False, True, True, False, True],
    ]


def test_human_captions_of_a_pair_are_drawn_independently() -> None:
    records = dataset(3000)
    captions = human_captions(records, source="en", target="zh")
    drawn = CaptionSampler(records, batch_size=3000, translated=captions)
    sources, targets = sides(drawn.batch(0, 0))
    assert all(target.caption.startswith("人写的") for target in targets)
    both = Counter(
        (source.caption.split()[2], target.caption.split()[2])
        for source, target in zip(sources, targets, strict=True)
    )
    assert len(both) == 6
    assert np.allclose(list(both.values()), 500, atol=90)
    assert {pick.picture for pick in targets} == set(range(3000))
    assert all(s.picture == t.picture for s, t in zip(sources, targets, strict=True))


def test_noise_reaches_the_targets_alone() -> None:
    records = dataset(50)
    noise = Noise(NoiseRates(wrong=1.0), spans=word_spans)
    clean, noisy = translations(records), translations(records, noise=noise)
    for picture, (before, after) in enumerate(zip(clean.pairs, noisy.pairs, strict=True)):
        for one, other in zip(before["zh-baidu"], after["zh-baidu"], strict=True):
            assert one.source == other.source
            assert other.target.split()[1] != str(picture)
    told = [text for _, text in noisy.texts()]
    assert set(told) == {
        text
        for picture in noisy.pairs
        for pair in picture["zh-baidu"]
        for text in (pair.source, pair.target)
    }
    people = human_captions(records, source="en", target="zh", noise=noise)
    assert all(
        pair.target.split()[1] != str(picture)
        for picture, pairs in enumerate(people.pairs)
        for pair in pairs["zh"]
    )


def test_what_is_missing_is_named() -> None:
    records = dataset(2)
    with pytest.raises(ConfigError, match=r"translations 'zh-bing'; .* en-x-zh-baidu, zh-baidu"):
        translations(records, engines=["zh-bing"])
    with pytest.raises(ConfigError, match=r"translated\.back: .* 'en-x-typo'; .* en-x-zh-baidu"):
        translations(records, back={"zh-baidu": "en-x-typo"})
    with pytest.raises(ConfigError, match="captions in both 'en' and 'fr'"):
        human_captions(records, source="en", target="fr")
    short = Record(id="p9", captions={"en": ("a", "b")}, machine_translated={"zh-baidu": ("甲",)})
    with pytest.raises(ConfigError, match=r"'p9' has 2 captions in 'en' and 1 translations"):
        translations([*records, short])


@pytest.mark.flickr8k
def test_every_english_caption_of_flickr8k_has_its_two_translations(flickr8k: Path) -> None:
    records = read_manifest(flickr8k / "val.jsonl")
    captions = translations(records, engines=["zh-baidu", "zh-google"])
    assert [len(pairs["zh-baidu"]) for pairs in captions.pairs] == [5] * 1000
    assert [len(pairs["zh-google"]) for pairs in captions.pairs] == [5] * 1000
    noise = Noise(NoiseRates(drop=0.2, swap=0.2, wrong=0.2), spans=word_spans)
    noisy = translations(records, noise=noise)
    pairs = zip(captions.pairs, noisy.pairs, strict=True)
    targets = [
        (one.target, other.target)
        for before, after in pairs
        for one, other in zip(before["zh-baidu"], after["zh-baidu"], strict=True)
    ]
    assert 0.75 < sum(map(len, (new for _, new in targets))) / sum(
        len(old) for old, _ in targets
    ) < 0.85  # fmt: skip
    assert sum(old == new for old, new in targets) < 500
