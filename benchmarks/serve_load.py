"""A real ``polyglance serve`` under mixed load: requests a second, latency, errors and memory.

    python benchmarks/serve_load.py [--pictures 3000] [--clients 16] [--seconds 30]

Needs POLYGLANCE_FLICKR8K. So many of its training photos are indexed with ``mini``, unless
``--collection`` names what an earlier run left there. Then clients ask as fast as they are
answered: 80 % search by a caption of these photos in any of its languages, 10 % by a photo, 10 %
fetch a thumbnail of what was found. Clients and server share the machine's cores. What the queue
has no room for is answered with 503 and counted as turned away, not as an error. ``--seconds 300``
shows whether memory grows; the page of speeds tells of that (``speed.py --only serving``).
"""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from prometheus_client.parser import text_string_to_metric_families

from polyglance.data.manifest import read_manifest
from polyglance.data.record import Record
from polyglance.processors import processors

TEXT, IMAGE, THUMBNAIL = "text", "image", "thumbnail"
SHARES = {TEXT: 0.8, IMAGE: 0.1, THUMBNAIL: 0.1}
TURNED_AWAY = 503
Ask = Callable[[httpx.Client, random.Random], httpx.Response]
POLYGLANCE = (sys.executable, "-m", "polyglance")


def main(
    pictures: Annotated[int, typer.Option(min=1, help="Photos in the collection.")] = 3000,
    clients: Annotated[int, typer.Option(min=1, help="That ask at the same time.")] = 16,
    seconds: Annotated[float, typer.Option(min=1, help="How long they ask.")] = 30.0,
    collection: Annotated[
        Path | None, typer.Option(help="Folder that keeps the collection for the next time.")
    ] = None,
) -> None:
    """Print a line for each kind of request, and one for the server."""
    report(loaded(pictures, clients, seconds, collection))


def loaded(
    pictures: int, clients: int, seconds: float, collection: Path | None = None
) -> dict[str, Any]:
    """Start a server, let clients ask it, and say what came of it."""
    source = os.environ.get("POLYGLANCE_FLICKR8K")
    if not source:
        raise SystemExit("POLYGLANCE_FLICKR8K does not name the folder with the photos")
    records = read_manifest(Path(source) / "train.jsonl")[:pictures]
    with tempfile.TemporaryDirectory() as scratch:
        folder = (collection or Path(scratch)).resolve()
        fill(folder, records)
        with serving(folder / "collection") as (address, token):
            told = measure(Load(address, token, records), clients, seconds)
    return {
        "pictures": len(records),
        "clients": clients,
        "seconds": seconds,
        "processors": processors(),
        **told,
    }


def fill(folder: Path, records: list[Record]) -> None:
    """Index the photos as a folder of links to them; what is indexed already stays."""
    photos = folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    for record in records:
        if record.image is not None and not (photos / record.image.name).exists():
            (photos / record.image.name).symlink_to(record.image.resolve())
    words = [*POLYGLANCE, "index", str(photos), "--collection", str(folder / "collection")]
    subprocess.run(words, check=True)


@contextmanager
def serving(collection: Path) -> Iterator[tuple[str, str]]:
    """The address of a server, and the token that it asks for."""
    token = secrets.token_hex(16)
    process = subprocess.Popen(
        [*POLYGLANCE, "serve", "--collection", str(collection), "--port", "0"],
        env={**os.environ, "POLYGLANCE_TOKEN": token},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise SystemExit("the server did not start")
        yield line.split()[1], token
    finally:
        process.terminate()
        process.wait(60)


@dataclass
class Kind:
    """What became of the requests of one kind; ``milliseconds`` of those that were answered."""

    milliseconds: list[float] = field(default_factory=list)
    turned_away: int = 0
    errors: int = 0


class Load:
    """What clients ask for.

    Args:
        address: of the server.
        token: that it asks for.
        records: of the photos that it knows.
    """

    def __init__(self, address: str, token: str, records: list[Record]) -> None:
        self.address = address
        self.headers = {"authorization": f"Bearer {token}"}
        self.captions = [
            (text, tag)
            for record in records
            for tag, texts in (record.captions or {}).items()
            for text in texts
        ]
        self.photos = [record.image for record in records if record.image is not None]
        self.thumbnails: list[str] = []
        self.kinds: dict[str, Kind] = defaultdict(Kind)
        self._lock = threading.Lock()

    def client(self) -> httpx.Client:
        """With a connection that it keeps."""
        return httpx.Client(base_url=self.address, headers=self.headers, timeout=60)

    def ask_until(self, end: float, seed: int) -> None:
        """Ask one thing after the other."""
        chance = random.Random(seed)
        asks: dict[str, Ask] = {
            TEXT: self._text,
            IMAGE: self._image,
            THUMBNAIL: self._thumbnail,
        }
        with self.client() as client:
            while time.monotonic() < end:
                [kind] = chance.choices(list(SHARES), list(SHARES.values()))
                self._note(kind, partial(asks[kind], client, chance))

    def numbers(self) -> dict[str, float]:
        """The server's own, by name."""
        with self.client() as client:
            families = text_string_to_metric_families(client.get("/metrics").text)
        return {
            sample.name: sample.value
            for family in families
            for sample in family.samples
            if not sample.labels
        }

    def _note(self, kind: str, ask: Callable[[], httpx.Response]) -> None:
        started = time.perf_counter()
        try:
            status = ask().status_code
        except httpx.HTTPError:
            status = None
        took = 1e3 * (time.perf_counter() - started)
        with self._lock:
            noted = self.kinds[kind]
            if status == httpx.codes.OK:
                noted.milliseconds.append(took)
            elif status == TURNED_AWAY:
                noted.turned_away += 1
            else:
                noted.errors += 1

    def _text(self, client: httpx.Client, chance: random.Random) -> httpx.Response:
        text, tag = chance.choice(self.captions)
        answer = client.get("/api/v1/search", params={"q": text, "language": tag})
        if answer.status_code == httpx.codes.OK:
            found = [hit["thumbnail"] for hit in answer.json()["hits"]]
            with self._lock:
                self.thumbnails = (self.thumbnails + found)[-5000:]
        return answer

    def _image(self, client: httpx.Client, chance: random.Random) -> httpx.Response:
        content = chance.choice(self.photos).read_bytes()
        return client.post("/api/v1/search/image", files={"image": ("photo.jpg", content)})

    def _thumbnail(self, client: httpx.Client, chance: random.Random) -> httpx.Response:
        with self._lock:
            known = self.thumbnails
        return client.get(chance.choice(known)) if known else self._text(client, chance)


def measure(load: Load, clients: int, seconds: float) -> dict[str, Any]:
    """Ask for so long, and say what came of it."""
    before, average = load.numbers(), os.getloadavg()[0]
    started = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        end = started + seconds
        for asked in [pool.submit(load.ask_until, end, seed) for seed in range(clients)]:
            asked.result()
    took = time.monotonic() - started
    after = load.numbers()
    answered = sum(len(kind.milliseconds) for kind in load.kinds.values())
    batches = after["polyglance_encoder_batch_texts_count"]
    batches -= before["polyglance_encoder_batch_texts_count"]
    texts = after["polyglance_encoder_batch_texts_sum"]
    texts -= before["polyglance_encoder_batch_texts_sum"]
    return {
        "load_average_before": round(average, 2),
        "requests_per_second": round(answered / took, 2),
        "kinds": {name: _told(load.kinds[name]) for name in SHARES},
        "texts_a_batch": round(texts / batches, 2) if batches else 0.0,
        "memory_mb": {
            "before": round(before["process_resident_memory_bytes"] / 1e6),
            "after": round(after["process_resident_memory_bytes"] / 1e6),
        },
    }


def _told(kind: Kind) -> dict[str, Any]:
    p50, p95 = np.percentile(kind.milliseconds, [50, 95]) if kind.milliseconds else (None, None)
    return {
        "answered": len(kind.milliseconds),
        "p50_ms": None if p50 is None else round(float(p50), 1),
        "p95_ms": None if p95 is None else round(float(p95), 1),
        "turned_away": kind.turned_away,
        "errors": kind.errors,
    }


def report(content: dict[str, Any]) -> None:
    """Print what was measured."""
    for name, kind in content["kinds"].items():
        print(
            f"{name:<9}  answered {kind['answered']:>6,}, p50 {kind['p50_ms'] or 0:8.1f} ms, "
            f"p95 {kind['p95_ms'] or 0:8.1f} ms, turned away {kind['turned_away']:,}, "
            f"errors {kind['errors']:,}"
        )
    memory = content["memory_mb"]
    print(
        f"{content['requests_per_second']:.1f} requests/s with {content['clients']} clients on "
        f"{content['processors']} processors (load average before: "
        f"{content['load_average_before']:.1f}), {content['texts_a_batch']:.1f} texts a batch, "
        f"memory {memory['before']:,} → {memory['after']:,} MB"
    )


if __name__ == "__main__":
    typer.run(main)
