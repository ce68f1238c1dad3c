"""What the API answers, as JSON, with an example of each."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, JsonValue

PICTURE: dict[str, JsonValue] = {
    "id": "5f2c9a0b77e1d344",
    "path": "2024/Berlin/dog.jpg",
    "score": 0.312745,
    "relevance": 0.9731,
    "width": 4032,
    "height": 3024,
    "taken": "2024-06-30T18:30:00",
    "place": None,
    "moment": None,
    "vector_rank": None,
    "text_rank": None,
    "thumbnail": "/thumbnail/5f2c9a0b77e1d344?v=9b1c5e0d8f3a",
}
UNASKED = ("score", "relevance", "vector_rank", "text_rank")  # nothing was looked for
LISTING: dict[str, JsonValue] = {
    "matching": 412,
    "offset": 0,
    "more": True,
    "pictures": [{name: value for name, value in PICTURE.items() if name not in UNASKED}],
    "milliseconds": 6.1,
}
ANSWER: dict[str, JsonValue] = {
    "query": "ein Hund im Schnee",
    "language": "de",
    "languages": ["de"],
    "guesses": [{"language": "de", "probability": 0.9873, "used": True}],
    "matching": 8214,
    "offset": 0,
    "more": True,
    "nothing_matches": False,
    "hits": [PICTURE],
    "milliseconds": 18.4,
}
EXPLANATION: dict[str, JsonValue] = {
    "query": "ein Hund im Schnee",
    "language": "de",
    "score": 0.312745,
    "peak": {"x": 0.25, "y": 0.75},
    "visible": [0.125, 0.0, 0.875, 1.0],
    "values": [[0.02, 0.05], [0.31, 0.11]],
    "picture": "/heat/5f2c9a0b77e1d344?q=ein+Hund+im+Schnee&language=de",
}
ABOUT: dict[str, JsonValue] = {
    "pictures": 8214,
    "skipped": 3,
    "model": "mini",
    "fingerprint": "3f9a61c07d5be284",
    "dimension": 256,
    "languages": ["en", "de", "fr"],
    "created": "2024-07-01T09:12:44Z",
}


class Problem(BaseModel):
    """Why a question is not answered."""

    detail: str


class Position(BaseModel):
    """Where a picture was taken, in degrees, above zero in the north and in the east."""

    latitude: float
    longitude: float


class Picture(BaseModel):
    """A hit. ``path`` is relative to the collection's root; ``score`` is its cosine with the query.

    ``relevance``, 0 to 1, is how the score stands beside what is found for words that match
    nothing; ``null`` where that is not known.
    ``place`` is where it was taken, by EXIF; ``null`` also where the server tells no places.
    ``moment`` is that of a video's best frame, in seconds from its start, ``null`` of a picture.
    Of a hybrid search, ``vector_rank`` and ``text_rank`` are the file's ranks by vectors and by the
    words of captions, ``null`` where it is in one of them alone.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [PICTURE]})

    id: str
    path: str
    score: float
    relevance: float | None
    width: int
    height: int
    taken: datetime | None
    place: Position | None
    moment: float | None
    vector_rank: int | None
    text_rank: int | None
    thumbnail: str


class Listed(BaseModel):
    """A picture or video of the collection, as in a hit; ``moment`` is a video's first frame's."""

    id: str
    path: str
    width: int
    height: int
    taken: datetime | None
    place: Position | None
    moment: float | None
    thumbnail: str


class Listing(BaseModel):
    """Pictures that pass the filters, those that were taken last first.

    Those without a date come after the others. ``matching`` is how many pass, shown or not;
    ``more`` whether others come after these, from ``offset`` plus their number on.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [LISTING]})

    matching: int
    offset: int
    more: bool
    pictures: list[Listed]
    milliseconds: float


class Guessed(BaseModel):
    """A guess of a text's language, which was not given; ``used`` where it is sure enough."""

    language: str
    probability: float
    used: bool


class Answer(BaseModel):
    """What a search found, and how it was understood.

    ``query`` is the words alone, or the parts with their signs; ``languages`` has the tag of every
    text in it, ``language`` that of the only one, and ``guesses`` what was guessed where none was
    given; of a guess that is not used the tag is ``und``. ``matching`` is how many pictures and
    videos pass the filters, found or not; ``more`` whether hits come after these, from ``offset``
    plus their number on. ``nothing_matches`` is true where the best of all hits has too little
    relevance to be called a match; it is known from the first page.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [ANSWER]})

    query: str | None
    language: str | None
    languages: list[str]
    guesses: list[Guessed | None]
    matching: int
    offset: int
    more: bool
    nothing_matches: bool
    hits: list[Picture]
    milliseconds: float


class Place(BaseModel):
    """Where in a picture, as shares of its width from the left and of its height from the top."""

    x: float
    y: float


class Explanation(BaseModel):
    """A heat map. ``values`` are rows from the top; they compare places within one picture only.

    ``visible`` is what of the picture the map covers: left, top, right and bottom as shares of its
    sides. ``picture`` is the address of the picture with the map over it.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXPLANATION]})

    query: str
    language: str
    score: float
    peak: Place
    visible: tuple[float, float, float, float]
    values: list[list[float]]
    picture: str


class About(BaseModel):
    """The collection and the model that filled it."""

    model_config = ConfigDict(json_schema_extra={"examples": [ABOUT]})

    pictures: int
    skipped: int
    model: str
    fingerprint: str
    dimension: int
    languages: list[str]
    created: datetime
