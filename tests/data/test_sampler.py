"""The sampler: once an epoch, languages by weight, exact resume, shares for ranks."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyglance.data.record import Record
from polyglance.data.sampler import CaptionSampler, Pick, caption_identity
from polyglance.errors import ConfigError


def dataset(count: int, languages: str = "en de") -> list[Record]:
    return [
        Record(
            id=f"p{n}",
            captions={tag: (f"{tag} {n} a", f"{tag} {n} b") for tag in languages.split()},
        )
        for n in range(count)
    ]


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 60),
    batch_size=st.integers(1, 20),
    captions=st.integers(1, 5),
    seed=st.integers(0, 2**31),
    epoch=st.integers(0, 5),
)
def test_each_picture_comes_once_an_epoch(
    count: int, batch_size: int, captions: int, seed: int, epoch: int
) -> None:
    sampler = CaptionSampler(
        dataset(count), batch_size=batch_size, captions_per_picture=captions, seed=seed
    )
    batches = [sampler.batch(epoch, step) for step in range(sampler.steps_per_epoch)]
    pictures = [sorted({pick.picture for pick in batch}) for batch in batches]
    assert sorted(n for found in pictures for n in found) == list(range(count))
    sizes = [len(found) for found in pictures]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    for batch in batches:
        drawn = Counter((pick.picture, pick.language, pick.caption) for pick in batch)
        assert set(drawn.values()) == {1}
        per_picture = Counter(pick.picture for pick in batch)
        assert set(per_picture.values()) == {min(captions, 4)}


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(8, 60),
    world_size=st.integers(1, 4),
    per_rank=st.integers(2, 6),
    seed=st.integers(0, 99),
)
def test_ranks_get_disjoint_shares_of_about_one_size(
    count: int, world_size: int, per_rank: int, seed: int
) -> None:
    ranks = [
        CaptionSampler(
            dataset(count),
            batch_size=per_rank * world_size,
            seed=seed,
            rank=rank,
            world_size=world_size,
        )
        for rank in range(world_size)
    ]
    seen: list[int] = []
    for step in range(ranks[0].steps_per_epoch):
        shares = [sampler.batch(1, step) for sampler in ranks]
        sizes = [len(share) for share in shares]
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) > 0
        everybody = [pick for share in shares for pick in share]
        assert sorted(map(repr, everybody)) == sorted(map(repr, ranks[0].global_batch(1, step)))
        seen += [pick.picture for pick in everybody]
    assert sorted(seen) == list(range(count))


def test_the_global_batch_does_not_depend_on_the_number_of_ranks() -> None:
    records = dataset(29)  # which nothing divides
    alone = CaptionSampler(records, batch_size=9, seed=3)
    four = CaptionSampler(records, batch_size=9, seed=3, rank=2, world_size=4)
    assert alone.steps_per_epoch == four.steps_per_epoch == 4
    assert alone.pairs_per_step == four.pairs_per_step == 29 / 4
    assert [alone.batch(1, s) for s in range(4)] == [four.global_batch(1, s) for s in range(4)]


def test_steps_too_small_for_the_ranks_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"steps of 2, which 4 processes cannot share"):
        CaptionSampler(dataset(5), batch_size=4, world_size=4)


@settings(deadline=None, max_examples=40)
@given(count=st.integers(1, 30), batch_size=st.integers(1, 7), stop=st.integers(0, 12))
def test_resume_is_exact(count: int, batch_size: int, stop: int) -> None:
    def sampler() -> CaptionSampler:
        return CaptionSampler(dataset(count), batch_size=batch_size, seed=5)

    def drawn(start: CaptionSampler, steps: int) -> list[list[Pick]]:
        return [start.batch(at.epoch, at.step) for at in islice(start.places(), steps)]

    uninterrupted = drawn(sampler(), 20)
    stopped = sampler()
    stopped.state = next(islice(stopped.places(), stop, None))
    resumed = sampler()
    resumed.load_state_dict(stopped.state_dict())
    assert drawn(resumed, 20 - stop) == uninterrupted[stop:]


def test_epochs_and_seeds_differ() -> None:
    records = dataset(40)
    sampler = CaptionSampler(records, batch_size=40)
    other = CaptionSampler(records, batch_size=40, seed=1)
    assert sampler.batch(0, 0) != sampler.batch(1, 0)
    assert sampler.batch(0, 0) != other.batch(0, 0)
    assert sampler.batch(0, 0) == sampler.batch(0, 0)


def test_languages_follow_their_weights() -> None:
    sampler = CaptionSampler(
        dataset(2000, "en de cs"), batch_size=2000, language_weights={"en": 3.0, "de": 1.0}
    )
    drawn = Counter(pick.language for pick in sampler.batch(0, 0))
    assert set(drawn) == {"en", "de"}
    assert abs(drawn["en"] / 2000 - 0.75) < 0.04


def test_a_picture_without_the_language_is_left_out_and_others_use_what_they_have() -> None:
    records = [
        Record(id="a", captions={"en": ("x",)}),
        Record(id="b", captions={"de": ("y",), "fr": ("w",)}),
        Record(id="c", captions={"fr": ("z",)}),
    ]
    sampler = CaptionSampler(records, batch_size=4, language_weights={"en": 1.0, "de": 9.0})
    assert sorted((p.picture, p.language) for p in sampler.batch(0, 0)) == [(0, "en"), (1, "de")]


def test_the_tag_of_norwegian_stays_a_tag() -> None:
    sampler = CaptionSampler([Record(id="a", captions={"no": ("En hund.",)})], batch_size=1)
    assert sampler.batch(0, 0)[0].language == "no"


def test_shared_captions_name_the_other_pictures() -> None:
    records = [
        Record(id="a", captions={"en": ("A dog runs.",)}),
        Record(id="b", captions={"en": (" a  DOG runs",)}),
        Record(id="c", captions={"en": ("A cat.",)}),
    ]
    picks = {p.picture: p.also for p in CaptionSampler(records, batch_size=3).batch(0, 0)}
    assert picks == {0: (1,), 1: (0,), 2: ()}


def test_caption_identity() -> None:
    assert caption_identity("狗在跑。") == caption_identity("狗在跑")
    assert caption_identity("A dog .") == caption_identity("a dog")
    assert caption_identity("A dog") != caption_identity("A dog!x")
    assert caption_identity("?") != caption_identity(".")


def test_changed_data_refuse_to_resume() -> None:
    state = CaptionSampler(dataset(8), batch_size=4).state_dict()
    with pytest.raises(ConfigError, match="have changed"):
        CaptionSampler(dataset(9), batch_size=4).load_state_dict(state)
    with pytest.raises(ConfigError, match="have changed"):
        CaptionSampler(dataset(8), batch_size=5).load_state_dict(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language_weights": {"xx": 1.0}}, "'xx'.*present: de, en"),
        ({"language_weights": {"en": 0.0}}, "must be positive"),
        ({"batch_size": 1, "world_size": 2}, "raise batch_size"),
        ({"captions_per_picture": 0}, "0 captions"),
        ({"rank": 1}, "rank 1"),
    ],
)
def test_impossible_settings(options: dict[str, object], message: str) -> None:
    settings_: dict[str, object] = {"batch_size": 4, **options}
    with pytest.raises(ConfigError, match=message):
        CaptionSampler(dataset(8), **settings_)  # type: ignore[arg-type]


def test_no_captions_at_all() -> None:
    with pytest.raises(ConfigError, match="0 of 1 pictures"):
        CaptionSampler([Record(id="a")], batch_size=1)
