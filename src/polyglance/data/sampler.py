"""Which pictures, which languages and which captions make up each training batch."""

from __future__ import annotations

import hashlib
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from polyglance.data.record import Record
from polyglance.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from polyglance.data.similar import SimilarGroups
    from polyglance.data.translated import TranslatedCaptions

_CLOSING = " .!?。؟।"  # punctuation that ends a sentence in the languages at hand


class CaptionPair(NamedTuple):
    """A caption and what became of it.

    Attributes:
        source: as somebody wrote it.
        target: in another language.
        back: the target, translated back; ``None`` where nobody did.
    """

    source: str
    target: str
    back: str | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """One caption drawn for one picture.

    Attributes:
        picture: the picture's index among the records.
        language: BCP-47 tag of the caption.
        caption: the caption itself.
        also: other pictures that carry the very same caption; with them in the batch they are
            positives of this text as well.
        number: of the caption among the picture's in this language.
        pair: what the caption translates, if it was drawn as a translation.
    """

    picture: int
    language: str
    caption: str
    also: tuple[int, ...] = ()
    number: int = 0
    pair: CaptionPair | None = None


@dataclass(frozen=True, slots=True)
class SamplerState:
    """Where a sampler stands: the next batch to draw.

    Attributes:
        epoch: counted from 0.
        step: of the epoch, counted from 0.
    """

    epoch: int = 0
    step: int = 0


class CaptionSampler:
    """Draws batches over pictures × languages, as a pure function of (seed, epoch, step).

    Every picture comes once an epoch, in an order of its own each epoch. The last batch is not a
    remnant: an epoch is cut into steps whose sizes differ by one picture at most, since a
    contrastive loss changes its meaning with the size of the batch. For each picture a language
    is drawn by weight among those that the picture has, then one of its captions.

    A caption that several pictures carry word for word (case, spacing and closing punctuation
    aside) describes all of them; :attr:`Pick.also` says which, so that none is taken for a
    negative.

    Args:
        records: the dataset; a picture's index in it is its identity.
        batch_size: pictures a step, over all ranks.
        language_weights: BCP-47 tag → weight, not necessarily summing to 1; languages left out
            are not drawn. ``None``: every language of the records, weighted alike.
        captions_per_picture: captions drawn for each picture, distinct while it has enough.
        translated: draw pairs of captions and their translations instead, ``language_weights``
            being those of the engines; of ``records``, in their order.
        seed: of every draw.
        rank: of this process.
        world_size: number of processes; each gets its own share of every batch, and shares
            differ by one picture at most.

    Raises:
        ConfigError: no picture has a caption in the chosen languages, or a number is impossible.
    """

    def __init__(
        self,
        records: Sequence[Record],
        *,
        batch_size: int,
        language_weights: Mapping[str, float] | None = None,
        captions_per_picture: int = 1,
        translated: TranslatedCaptions | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if not 0 <= rank < world_size:
            raise ConfigError(f"rank {rank} does not exist among {world_size} processes")
        if batch_size < world_size or captions_per_picture < 1:
            raise ConfigError(
                f"a batch of {batch_size} pictures with {captions_per_picture} captions each "
                f"cannot be shared among {world_size} processes; raise batch_size"
            )
        self._seed, self._rank, self.world_size = seed, rank, world_size
        self._captions_per_picture = captions_per_picture
        self._translated = translated
        if translated is not None:
            records = translated.records
        weights = _checked_weights(records, language_weights)
        # picture → (tags that it has, their running sums of weights)
        self._languages = [_languages_of(record, weights) for record in records]
        self._captions = [record.captions for record in records]
        self.pictures = [i for i, (tags, _) in enumerate(self._languages) if tags]
        if len(self.pictures) < world_size:
            raise ConfigError(
                f"{len(self.pictures)} of {len(records)} pictures have a caption in "
                f"{', '.join(sorted(weights)) or 'any language'}; choose languages of the dataset"
            )
        self._shared = _shared_captions(self._told(records, weights))
        self._bounds = even_steps(len(self.pictures), batch_size, world_size=world_size)
        self.steps_per_epoch = len(self._bounds) - 1
        self._digest = _digest(seed, batch_size, captions_per_picture, weights, records)
        if translated is not None:
            self._digest += translated.digest()
        self._order: tuple[int, NDArray[np.int64]] | None = None
        self._groups: SimilarGroups | None = None
        self.state = SamplerState()

    def group_by(self, groups: SimilarGroups) -> None:
        """Make batches of pictures that look alike, from now on.

        Args:
            groups: of all records.
        """
        self._groups, self._order = groups, None

    @property
    def pairs_per_step(self) -> float:
        """Captions drawn in a step, on average and over all ranks, if no picture runs short."""
        captions = self._captions_per_picture * (1 if self._translated is None else 2)
        return len(self.pictures) * captions / self.steps_per_epoch

    def batch(self, epoch: int, step: int) -> list[Pick]:
        """This rank's picks at a step of an epoch, those of one picture side by side.

        Of translated captions, all sources come first, and then their targets in the same order.
        """
        return self._draw(epoch, step, slice(self._rank, None, self.world_size))

    def global_batch(self, epoch: int, step: int) -> list[Pick]:
        """The picks of all ranks together; the same for any number of them."""
        return self._draw(epoch, step, slice(None))

    def places(self) -> Iterator[SamplerState]:
        """The present state, and endlessly those after it; looking ahead does not move it.

        A batch drawn at one of them has been trained on once the state is the next.
        """
        epoch, step = self.state.epoch, self.state.step
        while True:
            yield SamplerState(epoch, step)
            step += 1
            if step == self.steps_per_epoch:
                epoch, step = epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on, with a digest of data and settings."""
        return {"epoch": self.state.epoch, "step": self.state.step, "digest": self._digest}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another sampler over the same data stood.

        Raises:
            ConfigError: the data or the settings are not those of the saved state.
        """
        if state["digest"] != self._digest:
            raise ConfigError(
                "the training data or the sampling settings have changed since the checkpoint "
                f"was written (digest {state['digest']}, now {self._digest}); "
                "restore them or start in a new folder"
            )
        self.state = SamplerState(int(state["epoch"]), int(state["step"]))

    def _draw(self, epoch: int, step: int, share: slice) -> list[Pick]:
        import numpy as np

        if not 0 <= step < self.steps_per_epoch:
            raise IndexError(f"step {step} of an epoch of {self.steps_per_epoch}")
        start, stop = self._bounds[step : step + 2]
        pictures = self._epoch_order(epoch)[start:stop]  # (pictures,)
        stream = np.random.default_rng([self._seed, epoch, step])
        draws = stream.random((len(pictures), self._captions_per_picture, 2))
        picks = [
            pick
            for picture, draw in zip(pictures[share].tolist(), draws[share].tolist(), strict=True)
            for pick in self._pick_captions(picture, draw)
        ]
        return (
            picks if self._translated is None else self._translated.both_sides(picks, self._shared)
        )

    def _told(
        self, records: Sequence[Record], weights: Mapping[str, float]
    ) -> Iterator[tuple[int, str]]:
        """(Picture, caption) for everything that may be drawn."""
        for picture in self.pictures:
            for tag in weights:
                yield from ((picture, text) for text in records[picture].captions.get(tag, ()))
            if self._translated is not None:
                for pairs in self._translated.pairs[picture].values():
                    yield from ((picture, pair.source) for pair in pairs)

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        import numpy as np

        if self._order is None or self._order[0] != epoch:
            random = np.random.default_rng([self._seed, epoch])
            if self._groups is None:
                order = random.permutation(self.pictures)
            else:
                order = self._groups.order(random)
                order = order[np.isin(order, self.pictures)]
            self._order = (epoch, order)
        return self._order[1]

    def _pick_captions(self, picture: int, draws: Sequence[Sequence[float]]) -> list[Pick]:
        """``draws``: (captions, 2) uniform numbers, for the language and for the caption."""
        tags, cumulative = self._languages[picture]
        captions = self._captions[picture]
        left = {tag: list(range(len(captions[tag]))) for tag in tags}  # not yet drawn
        picks: list[Pick] = []
        for language_draw, caption_draw in draws[: sum(map(len, left.values()))]:
            tag = tags[bisect_right(cumulative, language_draw * cumulative[-1], hi=len(tags) - 1)]
            chosen = int(caption_draw * len(left[tag]))
            if not left[tag]:  # the language is used up: any caption not yet drawn will do
                others = [(other, n) for other in tags for n in range(len(left[other]))]
                tag, chosen = others[int(caption_draw * len(others))]
            number = left[tag].pop(chosen)
            caption = captions[tag][number]
            also = self._shared.get((picture, caption), ())
            picks.append(Pick(picture, tag, caption, also, number))
        return picks


def even_steps(count: int, batch_size: int, *, world_size: int = 1) -> list[int]:
    """Cut ``count`` things into steps of ``batch_size`` or a little fewer, all about alike.

    Args:
        count: of things.
        batch_size: at most, in a step.
        world_size: processes that share each step; each must get something.

    Returns:
        Where each step begins, and ``count``; the steps' sizes differ by one at most.

    Raises:
        ConfigError: a step has fewer things than there are processes.
    """
    steps = -(-count // batch_size)
    if count // steps < world_size:
        raise ConfigError(
            f"{count} things in batches of {batch_size} make steps of {count // steps}, which "
            f"{world_size} processes cannot share; raise batch_size, or train on fewer devices"
        )
    return [count * k // steps for k in range(steps + 1)]


def caption_identity(caption: str) -> str:
    """What two captions have in common when they say the very same."""
    folded = unicodedata.normalize("NFKC", caption).casefold()
    spaced = " ".join(folded.split())
    return spaced.rstrip(_CLOSING) or spaced


def _checked_weights(
    records: Sequence[Record], language_weights: Mapping[str, float] | None
) -> dict[str, float]:
    present = {tag for record in records for tag, captions in record.captions.items() if captions}
    if language_weights is None:
        return dict.fromkeys(sorted(present), 1.0)
    for tag, weight in language_weights.items():
        if tag not in present:
            known = ", ".join(sorted(present)) or "none"
            raise ConfigError(f"no picture has captions in {tag!r}; languages present: {known}")
        if not 0 < weight < float("inf"):
            raise ConfigError(f"the weight of language {tag!r} is {weight}; it must be positive")
    return dict(language_weights)


def _languages_of(
    record: Record, weights: Mapping[str, float]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    tags = tuple(tag for tag in sorted(weights) if record.captions.get(tag))
    return tags, tuple(accumulate(weights[tag] for tag in tags))


def _shared_captions(
    told: Iterable[tuple[int, str]],
) -> dict[tuple[int, str], tuple[int, ...]]:
    """(Picture, caption) → the other pictures that carry it, for captions of more than one."""
    owners: dict[str, set[tuple[int, str]]] = {}
    for picture, caption in told:
        owners.setdefault(caption_identity(caption), set()).add((picture, caption))
    shared: dict[tuple[int, str], tuple[int, ...]] = {}
    for found in owners.values():
        carriers = sorted({picture for picture, _ in found})
        if len(carriers) > 1:
            for picture, caption in found:
                shared[picture, caption] = tuple(p for p in carriers if p != picture)
    return shared


def _digest(
    seed: int,
    batch_size: int,
    captions_per_picture: int,
    weights: Mapping[str, float],
    records: Sequence[Record],
) -> str:
    digest = hashlib.sha256()
    digest.update(repr((seed, batch_size, captions_per_picture, sorted(weights.items()))).encode())
    for record in records:
        captions = [(tag, record.captions.get(tag, ())) for tag in sorted(weights)]
        digest.update(repr((record.id, captions)).encode())
    return digest.hexdigest()[:16]
