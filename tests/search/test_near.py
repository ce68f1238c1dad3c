"""Circles on Earth: what is in them by LanceDB, and by a formula of another kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from polyglance.data.place import Place
from polyglance.search.collection import Collection
from polyglance.search.filters import Filters
from polyglance.search.near import EARTH, Near
from polyglance.search.writer import open_for_writing
from support.colours import ColourEncoder
from support.rows import a_row

# Places where a flat map goes wrong, and some where it does not.
MIDDLES = [(90, 0), (-90, 77), (89.99, 179.9), (0, 180), (0, -180), (52, -179.99), (-16.8, 179.99)]
MIDDLES += [(0, 0), (50.0875, 14.42125), (-33.8568, 151.2153)]


def vectors(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(places, 2) degrees → (places, 3) on the unit sphere."""
    latitude, longitude = np.radians(places).T
    east, north = np.cos(latitude) * np.sin(longitude), np.sin(latitude)
    return np.stack([np.cos(latitude) * np.cos(longitude), east, north], axis=1)


def distances(places: NDArray[np.float64], middle: tuple[float, float]) -> NDArray[np.float64]:
    """(places,) metres along the great circle, by the chord."""
    chords = np.linalg.norm(vectors(places) - vectors(np.array([middle])), axis=1)
    angles: NDArray[np.float64] = 2 * np.arcsin(np.minimum(chords / 2, 1))
    return EARTH * angles


@pytest.fixture(scope="module")
def places() -> NDArray[np.float64]:
    """(3000, 2): all over Earth, and within some kilometres of the middles."""
    random = np.random.default_rng(0)
    latitude = np.degrees(np.arcsin(random.uniform(-1, 1, 2000)))
    anywhere = np.stack([latitude, random.uniform(-180, 180, 2000)], axis=1)
    around = np.repeat(np.array(MIDDLES, dtype=np.float64), 100, axis=0)
    around += random.normal(0, 0.05, around.shape)
    around[:, 0] = np.clip(around[:, 0], -90, 90)
    around[:, 1] = (around[:, 1] + 180) % 360 - 180
    return np.concatenate([anywhere, around])


@pytest.fixture(scope="module")
def collection(places: NDArray[np.float64], tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("near")
    embedding = np.eye(ColourEncoder.dimension, dtype=np.float32)[0]
    rows = [
        a_row(f"{number}.jpg", embedding, place=place)
        for number, place in enumerate([*(Place(*map(float, each)) for each in places), None])
    ]
    with open_for_writing(folder / "c", model=ColourEncoder(), root=folder) as writer:
        writer.upsert(rows)
    return Collection.open(folder / "c")


@pytest.mark.parametrize("radius", ["300m", "4km", "900km", "12000km", "20000km"])
@pytest.mark.parametrize("middle", MIDDLES)
def test_what_is_in_a_circle(
    collection: Collection,
    places: NDArray[np.float64],
    middle: tuple[float, float],
    radius: str,
) -> None:
    near = Near.read(f"{middle[0]},{middle[1]},{radius}")
    found = collection.pictures.search().where(near.condition).select(["path"]).to_arrow()
    numbers = {int(Path(path).stem) for path in found["path"].to_pylist()}
    expected = np.flatnonzero(distances(places, middle) <= near.metres)
    assert numbers == set(expected.tolist())
    assert 0 < len(expected) < len(places) or radius in {"300m", "20000km"}


def test_the_middle_itself_is_in_the_smallest_circle(collection: Collection) -> None:
    place = collection.pictures.search().where("path = '0.jpg'").to_arrow().to_pylist()[0]
    near = Filters.of(near=f"{place['latitude']:.7f},{place['longitude']:.7f},1m").near
    assert near is not None
    assert collection.pictures.count_rows(near.condition) == 1


@pytest.mark.parametrize(
    ("text", "written", "radius"),
    [
        ("50.08,14.43,5km", "50.08,14.43,5km", "5 km"),
        (" 50.0875 , -14.4213, 800 m ", "50.0875,-14.4213,800m", "800 m"),
        ("+5,-0.50,0.3km", "5,-0.5,300m", "300 m"),
        ("50.08747110431395,14,1500m", "50.0874711,14,1.5km", "1.5 km"),
        ("0,180,20000km", "0,180,20000km", "20000 km"),
        ("90.,0.0000001,1m", "90,0.0000001,1m", "1 m"),
    ],
)
def test_what_is_written_is_read_as_the_same_again(text: str, written: str, radius: str) -> None:
    near = Near.read(text)
    assert (str(near), near.radius) == (written, radius)
    assert Near.read(written) == near
    assert Filters.of(**Filters.of(near=text).given()) == Filters.of(near=text)
