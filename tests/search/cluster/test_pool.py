"""Who gets which shard, and what comes of deaths: the pool's decisions, without a cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from polyglance.errors import ClusterError
from polyglance.search.cluster.pool import MORE_FAILED_STARTS, MOST_DEATHS, Pool
from polyglance.search.cluster.shards import Shard
from polyglance.search.scan import Found
from support.inline_ray import Handle, InlineRay, RayTaskError

SHARDS = [
    Shard(
        name=f"r-{n}.arrow",
        files=[Found(path=f"{n}{at}.png", size=1, mtime_ns=1) for at in ("a", "b", "c")],
    )
    for n in range(7)
]


class Noting:
    """Notes what it is given; what it answers is set from outside."""

    def __init__(self, given: list[str], answers: dict[str, str]) -> None:
        self.given = given
        self.answers = answers

    def prepare(self) -> str:
        return self.answers.get("prepare", "")

    def embed(self, shard: Shard) -> str:
        self.given.append(shard.name)
        if self.answers.get(shard.name) == "bug":
            raise KeyError(shard.name)
        return self.answers.get(shard.name, "")


class House:
    """A pool, and all that happens in it."""

    def __init__(
        self,
        *,
        size: int = 3,
        lives_through: Callable[..., bool] = lambda *_call: True,
        **answers: str,
    ) -> None:
        self.ray = InlineRay()
        self.given: list[str] = []
        self.hired: list[Handle] = []

        def start() -> Any:
            self.hired.append(Handle(Noting(self.given, answers), lives_through))
            return self.hired[-1]

        self.pool = Pool(self.ray, start, size=size)

    def run(self) -> list[str]:
        return [shard.name for shard in self.pool.finished(SHARDS)]

    @property
    def all_gone(self) -> bool:
        return not any(handle.alive for handle in self.hired)


NAMES = [shard.name for shard in SHARDS]


@pytest.mark.parametrize("size", [1, 3, 20])
def test_every_shard_is_done_once(size: int) -> None:
    house = House(size=size)
    assert sorted(house.run()) == NAMES
    assert sorted(house.given) == NAMES
    assert len(house.hired) <= min(size, len(SHARDS))
    assert house.all_gone


def test_who_dies_is_replaced_and_somebody_else_gets_the_shard() -> None:
    deaths = {"r-2.arrow": 1, "r-5.arrow": MOST_DEATHS - 1}

    def lives_through(method: str, shard: Shard | None = None) -> bool:
        if shard is None or deaths.get(shard.name, 0) == 0:
            return True
        deaths[shard.name] -= 1
        return False

    house = House(lives_through=lives_through)
    assert sorted(house.run()) == NAMES
    assert Counter(house.given) == Counter(NAMES)
    assert len(house.hired) <= 3 + MOST_DEATHS
    assert house.all_gone


def test_a_shard_that_kills_everybody_is_named() -> None:
    house = House(lives_through=lambda _method, *shard: shard != (SHARDS[4],))
    with pytest.raises(
        ClusterError, match=rf"{MOST_DEATHS} workers died.* files, 4a\.png … 4c\.png \(the worker"
    ):
        house.run()
    assert house.all_gone


def test_a_worker_that_cannot_work_ends_it_with_its_sentence() -> None:
    house = House(prepare="there is no folder")
    with pytest.raises(ClusterError, match="cannot work: there is no folder"):
        house.run()
    assert house.all_gone


def test_workers_that_never_begin_are_not_hired_for_ever() -> None:
    house = House(lives_through=lambda method, *_shard: method != "prepare")
    with pytest.raises(ClusterError, match=r"end before they have begun \(the worker died"):
        house.run()
    assert len(house.hired) <= 2 * 3 + MORE_FAILED_STARTS


def test_some_that_do_not_begin_are_replaced() -> None:
    starts: list[str] = []

    def lives_through(method: str, *_shard: Shard) -> bool:
        starts.extend([method] if method == "prepare" else [])
        return method != "prepare" or len(starts) > MORE_FAILED_STARTS

    assert sorted(House(size=1, lives_through=lives_through).run()) == NAMES


def test_a_full_disk_is_a_sentence_and_a_bug_is_a_bug() -> None:
    house = House(**{"r-3.arrow": "disk full"})
    with pytest.raises(ClusterError, match="disk full; what was finished is safe"):
        house.run()
    assert house.all_gone
    house = House(**{"r-3.arrow": "bug"})
    with pytest.raises(RayTaskError, match=r"r-3\.arrow"):
        house.run()
    assert house.all_gone


def test_an_early_end_sends_everybody_home() -> None:
    house = House()
    finished = house.pool.finished(SHARDS)
    next(finished)
    finished.close()
    assert house.all_gone
    assert len(house.given) < len(SHARDS)
