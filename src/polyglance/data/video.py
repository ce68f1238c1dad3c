"""Videos as they come, made into the pictures that they show at chosen moments.

The containers and codecs are FFmpeg's, by PyAV (the extra ``video``). Only one whole frame is in
memory at a time, however long a video is, and only files that hold their own pictures are read:
playlists, which name other files and addresses, are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from polyglance.data.decode import open_picture, reason, regular_file
from polyglance.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

VideoSource = Path | str | bytes | IO[bytes]

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".3gp", ".3g2", ".mpg", ".mpeg", ".m2ts"}
    | {".mts", ".wmv", ".flv", ".ogv"}
)
MAX_PIXELS = 36_000_000  # of a frame: 8K passes, at 108 MB in RGB
MISSING = "a video; install the extra 'polyglance[video]' to read it"

_FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,gif"
_SEEK_BEYOND = 10.0  # seconds; nearer moments are reached by decoding, as key frames lie about so
_SAME = 1e-6  # seconds: less than any two frames are apart


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which moments of a video are looked at.

    Attributes:
        frames: how many; where ``every`` is given, at most so many.
        every: seconds that each stands for.
    """

    frames: int
    every: float | None = None

    def moments(self, duration: float) -> list[float]:
        """The middles of equal parts of ``duration``, in seconds."""
        parts = self.frames
        if self.every is not None:
            parts = min(parts, max(1, round(duration / self.every)))
        return [(part + 0.5) * duration / parts for part in range(parts)]


class Frame(NamedTuple):
    """What a video shows.

    Attributes:
        moment: seconds from its start at which the frame appears.
        picture: plain RGB, upright, with square pixels.
    """

    moment: float
    picture: Image


def is_readable() -> bool:
    """Whether PyAV is installed."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


def is_video(path: Path | str) -> bool:
    """Whether a file's name is that of a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def read_frames(
    source: VideoSource, sampling: Sampling, *, max_pixels: int = MAX_PIXELS
) -> Iterator[Frame]:
    """Decode the frames that a player would show at the sampled moments, one after the other.

    Of a video that is cut short or damaged come those before the damage, and a frame that stands
    for several moments comes once: there may be fewer than were asked for, but never none.

    Args:
        source: a path, the bytes of a file, or a binary file open at its start (left open).
        sampling: the moments.
        max_pixels: videos whose frames have more are refused.

    Raises:
        PictureError: with a short reason, naming the path where there is one; also where PyAV is
            not installed.
    """
    with _opened(source, max_pixels) as video:
        shown = False
        for frame in video.shown_at(sampling.moments(video.duration())):
            shown = True
            yield frame
        if not shown:
            raise PictureError("not one frame can be decoded")


def open_shown(path: Path, *, moment: float | None, target_size: int | None = None) -> Image:
    """A picture, or what a video shows at a moment.

    Args:
        path: of the file.
        moment: seconds from the video's start; ``None`` for a picture.
        target_size: see :func:`~polyglance.data.decode.open_picture`; frames come as they are.

    Raises:
        PictureError: the file cannot be read; the message names it.
    """
    if moment is None:
        return open_picture(path, target_size=target_size)
    with _opened(path, MAX_PIXELS) as video:
        for frame in video.shown_at([moment]):
            return frame.picture
        raise PictureError("not one frame can be decoded")


@contextmanager
def _opened(source: VideoSource, max_pixels: int) -> Iterator[_Video]:
    """Open a video; whatever goes wrong until the block ends is a `PictureError`."""
    name = f"{source}: " if isinstance(source, (str, Path)) else ""
    try:
        import av
    except ImportError:
        raise PictureError(f"{name}{MISSING}") from None
    try:
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}
        with _binary_file(source) as file, av.open(file, options=options) as container:
            yield _Video(container, max_pixels)
    except PictureError as error:
        raise PictureError(f"{name}{error}") from None
    except MemoryError:
        raise PictureError(f"{name}too large for the memory that is free") from None
    except Exception as error:  # decoders meet hostile bytes with exceptions of every kind
        raise PictureError(f"{name}cannot be decoded: {_reason(error)}") from error


@contextmanager
def _binary_file(source: VideoSource) -> Iterator[IO[bytes]]:
    if isinstance(source, bytes):
        yield BytesIO(source)
    elif isinstance(source, (str, Path)):
        with regular_file(Path(source)) as file:
            yield file
    else:
        yield source


class _Video:
    """An open container and its video stream.

    Args:
        container: of PyAV.
        max_pixels: of a frame.

    Raises:
        PictureError: there is no video in it, or its frames are too large.
    """

    def __init__(self, container: Any, max_pixels: int) -> None:
        self._container = container
        self._stream = container.streams.best("video")
        if self._stream is None:
            raise PictureError("there is sound in it, but no video")
        codec = self._stream.codec_context
        if codec.width * codec.height > max_pixels:
            raise PictureError(
                f"{codec.width} × {codec.height} pixels a frame, more than the limit of "
                f"{max_pixels:,}"
            )
        codec.options = {"max_pixels": str(max_pixels)}  # where the header does not tell the truth
        codec.thread_count = 1  # several threads read a video each
        self._aspect = codec.sample_aspect_ratio or 1
        self._start = float((self._stream.start_time or 0) * self._stream.time_base)

    def duration(self) -> float:
        """In seconds: what the header says, or else the time of the last packet."""
        stream, container = self._stream, self._container
        if stream.duration:
            return float(stream.duration * stream.time_base)
        if container.duration:
            return float(container.duration) / 1e6 - max(0.0, self._start)
        return max((self._ends(packet) for packet in self._packets()), default=0.0)

    def shown_at(self, moments: Iterable[float]) -> Iterator[Frame]:
        """The frames on show at rising moments; one that several share comes once."""
        frames: Iterator[Any] | None = None
        current = following = last = None
        for moment in moments:
            if frames is None or (
                following is not None and moment > self._time(following) + _SEEK_BEYOND
            ):
                frames, current = self._sought(moment)
                following = next(frames, None)
            while following is not None and self._time(following) <= moment + _SAME:
                current, following = following, next(frames, None)
            if current is not None and current is not last:
                yield Frame(self._time(current), _upright(current, self._aspect))
                last = current

    def _sought(self, moment: float) -> tuple[Iterator[Any], Any]:
        """Frames after the first one, which appears at ``moment`` or before; and that one."""
        frames, first = iter(()), None
        for place in (moment, max(0.0, moment - _SEEK_BEYOND), None):  # some seek too far
            frames = self._decoded_from(place)
            first = next(frames, None)
            if first is not None and self._time(first) <= moment + _SAME:
                break
        return frames, first

    def _decoded_from(self, moment: float | None) -> Iterator[Any]:
        """Frames from the last key frame before ``moment`` on, up to the end or the damage.

        From the very first one where it is ``None``.
        """
        import av

        stream = self._stream
        try:
            if moment is None:
                self._container.seek(0)
            else:
                ticks = int((moment + self._start) / stream.time_base)
                self._container.seek(ticks, stream=stream)
            yield from self._container.decode(stream)
        except (av.FFmpegError, EOFError):
            return  # what came before it counts

    def _time(self, frame: Any) -> float:
        return max(0.0, float(frame.time or 0.0) - self._start)

    def _packets(self) -> Iterator[Any]:
        yield from self._container.demux(self._stream)

    def _ends(self, packet: Any) -> float:
        if packet.pts is None:
            return 0.0
        return float((packet.pts + (packet.duration or 0)) * packet.time_base) - self._start


def _upright(frame: Any, aspect: Any) -> Image:
    """A frame in RGB as a player shows it: with square pixels, turned as the camera was held."""
    from PIL import Image as Pillow

    picture: Image = frame.to_image()  # (height, width), RGB
    if aspect != 1:
        picture = picture.resize((max(1, round(picture.width * aspect)), picture.height))
    turns = round(frame.rotation / 90) % 4
    if not turns:
        return picture
    counterclockwise = (
        Pillow.Transpose.ROTATE_90,
        Pillow.Transpose.ROTATE_180,
        Pillow.Transpose.ROTATE_270,
    )
    return picture.transpose(counterclockwise[turns - 1])


def _reason(error: BaseException) -> str:
    """FFmpeg's words without its number and the name of the file, which is told already."""
    return getattr(error, "strerror", None) or reason(error)
