"""Pictures as they come, made into plain RGB, or refused with a reason.

Everything that a folder of photos may hold is handled in this one place, identically for training,
indexing and serving: orientation, colour modes, transparency, 16-bit greys, animations, files that
are cut short, files that would fill the memory, and files that are no pictures at all.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from polyglance.data.outside.convert import convert
from polyglance.data.outside.formats import format_of
from polyglance.data.place import Place, place_of
from polyglance.data.tar_members import file_status, open_file
from polyglance.errors import PictureError

if TYPE_CHECKING:
    from PIL import Image as PillowImage
    from PIL.Image import Image

PictureSource = Path | str | bytes | IO[bytes]

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp"}
    | {".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".heif", ".svg"}
    | {".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".orf", ".raf", ".rw2", ".pef", ".srw"}
)
MAX_PIXELS = 128_000_000  # 384 MB in RGB; a 108-megapixel telephone photo passes
_REDUCED = 2  # a JPEG that is decoded at a fraction may be so much larger: 200-megapixel telephones

# Only formats that hold photos and that Pillow decodes by itself: EPS, say, would run Ghostscript.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_ORIENTATION, _DATE_TIME, _EXIF_IFD, _GPS_IFD = 0x0112, 0x0132, 0x8769, 0x8825
_DATES_AND_OFFSETS = ((0x9003, 0x9011), (0x9004, 0x9012))  # taken, digitised


class PictureFacts(NamedTuple):
    """What the header of a picture says.

    Attributes:
        width: in pixels, after the orientation is applied.
        height: in pixels, after the orientation is applied.
        date: when it was taken, ISO 8601 with the offset where that is known; else ``None``.
        place: where it was taken, if the camera knew.
    """

    width: int
    height: int
    date: str | None
    place: Place | None


def open_picture(
    source: PictureSource, *, max_pixels: int = MAX_PIXELS, target_size: int | None = None
) -> Image:
    """Decode a picture to RGB as a viewer would show it.

    Orientation is applied, transparency is laid on white, 16-bit greys are scaled, and of an
    animation the first frame is taken. Colour profiles are not applied. A drawing (SVG) is drawn,
    of a RAW photo the preview is taken; see :mod:`polyglance.data.outside`.

    Args:
        source: a path, the bytes of a file, or a binary file open at its start (left open).
        max_pixels: pictures that would be decoded to more are refused before that; so is a JPEG of
            more than twice as many, at whatever size it would be decoded.
        target_size: the size in pixels to which the shorter side will be reduced. With it a large
            JPEG is decoded at 1/2, 1/4 or 1/8 of its size, never below twice the target, which is
            several times faster and hardly visible after the reduction.

    Returns:
        A plain Pillow image in mode ``RGB``, without metadata, so nothing is applied twice.

    Raises:
        PictureError: with a short reason, naming the path where there is one.
    """
    with _opened(source) as image:
        width, height = image.size
        if target_size is not None:
            image.draft(image.mode, (2 * target_size, 2 * target_size))  # JPEG only
        pixels = max(image.width * image.height, width * height // _REDUCED)
        if pixels > max_pixels:
            raise PictureError(f"{width} × {height} pixels, more than the limit of {max_pixels:,}")
        image.load()
        picture = as_rgb(image)
        if picture is image:
            picture = image.copy()  # a plain image, rid of the file behind it
        picture.info = {}
        return picture


def picture_facts(source: PictureSource) -> PictureFacts:
    """Read size, date and place from the header, without decoding the pixels.

    Args:
        source: as for `open_picture`.

    Raises:
        PictureError: where the header cannot be read. A picture cut short, or too large to be
            decoded, is not noticed.
    """
    with _opened(source) as image:
        exif = _exif(image)
        width, height = image.size
        if exif.get(_ORIENTATION) in (5, 6, 7, 8) and image.format != "TIFF":
            width, height = height, width
        return PictureFacts(width, height, _date(exif), place_of(_directory(exif, _GPS_IFD)))


@contextmanager
def _opened(source: PictureSource) -> Iterator[Image]:
    """Open a picture's header; whatever goes wrong until the block ends is a `PictureError`."""
    name = f"{source}: " if isinstance(source, (str, Path)) else ""
    try:
        with _binary_file(source) as file, _identify(_converted(file)) as image:
            yield image
    except PictureError as error:
        raise PictureError(f"{name}{error}") from None
    except MemoryError:
        raise PictureError(f"{name}too large for the memory that is free") from None
    except Exception as error:  # decoders meet hostile bytes with exceptions of every kind
        raise PictureError(f"{name}cannot be decoded: {reason(error)}") from error


def decodable(data: bytes) -> bytes:
    """A file as :func:`open_picture` decodes it in the end: drawings and RAW photos converted.

    For those who need both pixels and facts of a picture, so that it is converted only once.

    Raises:
        PictureError: it cannot be converted, or what that needs is not installed.
    """
    form = format_of(BytesIO(data))
    return data if form is None else convert(data, form)


def _converted(file: IO[bytes]) -> IO[bytes]:
    form = format_of(file)
    return file if form is None else BytesIO(convert(file.read(), form))


@contextmanager
def _binary_file(source: PictureSource) -> Iterator[IO[bytes]]:
    if isinstance(source, bytes):
        yield BytesIO(source)
    elif isinstance(source, (str, Path)):
        with regular_file(Path(source)) as file:
            yield file
    else:
        yield source


def regular_file(path: Path) -> IO[bytes]:
    """Open a file or a member; pipes and devices, which could block for ever, are refused unopened.

    Raises:
        PictureError: it is none, or cannot be opened.
    """
    try:
        if not file_status(path).is_regular:
            if path.is_dir():
                raise PictureError("a folder, not a picture")
            raise PictureError("a pipe or device, not a picture file")
        return open_file(path)
    except FileNotFoundError:
        raise PictureError("no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise PictureError(f"cannot be read: {reason(error)}") from None


def _identify(file: IO[bytes]) -> Image:
    """Find the decoder by the first bytes, as ``PIL.Image.open`` does, but without its warnings.

    ``Image.open`` compares the size with a limit kept in a global variable and warns through the
    global warning filters; neither can be set for one call in one thread.
    """
    from PIL import Image as PillowImage

    head = file.read(32)
    file.seek(0)
    if not head:
        raise PictureError("empty (0 bytes)")
    for name in _decoders(head):
        factory, accepts = PillowImage.OPEN[name]
        if accepts is None or _accepted(accepts, head):
            image = factory(file, "")
            if not isinstance(image, PillowImage.Image):
                raise PictureError("not a picture")
            return image
    raise PictureError("not a picture in a known format")


def _accepted(accepts: Callable[[bytes], bool | str], head: bytes) -> bool:
    """Whether a decoder takes a file; some expect more bytes than a tiny file has."""
    try:
        return accepts(head) is True
    except (IndexError, struct.error):
        return False


def _decoders(head: bytes) -> tuple[str, ...]:
    """Names of the decoders to ask, loaded."""
    from PIL import (  # noqa: F401 -- each import adds one decoder to Pillow's table
        AvifImagePlugin,
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        PpmImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    if head[4:8] != b"ftyp" or head[8:12] not in _HEIF_BRANDS or b"avif" in head:
        return _FORMATS
    try:
        import pillow_heif
    except ImportError:
        raise PictureError("HEIC; install the extra 'polyglance[heif]' to read it") from None
    pillow_heif.register_heif_opener()
    return ("HEIF",)


def as_rgb(image: Image) -> Image:
    """The way up that EXIF says, on white where it is transparent, in eight bits a colour."""
    return _to_rgb(_upright(image))


def _upright(image: Image) -> Image:
    """Apply the EXIF orientation; an unreadable EXIF block is no reason to lose the picture."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _to_rgb(image: Image) -> Image:
    from PIL import Image as PillowImage

    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = PillowImage.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image) -> Image:
    """Scale greys of more than 8 bits, which Pillow's own conversion clips or truncates.

    ``I;16`` spans 0–65535. The wider modes do not say their range: it is taken to be the smallest
    of 1 (floats), 255, 65535 and the largest value that holds every pixel.
    """
    import numpy as np
    from PIL import Image as PillowImage

    greys = np.nan_to_num(np.asarray(image).astype(np.float32), posinf=0, neginf=0)
    white = 65535.0
    if not image.mode.startswith("I;16"):
        peak = float(greys.max(initial=0.0))
        usual = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        white = next((limit for limit in usual if peak <= limit), peak)
    scaled = np.clip(greys * (255.0 / white) + 0.5, 0, 255).astype(np.uint8)  # (height, width)
    return PillowImage.fromarray(scaled)


def _exif(image: Image) -> PillowImage.Exif:
    from PIL import Image as PillowImage

    try:
        # PNG's own getexif decodes the whole picture, in search of a block behind the pixels.
        return PillowImage.Image.getexif(image)
    except Exception:
        return PillowImage.Exif()


def _directory(exif: PillowImage.Exif, number: int) -> dict[int, Any]:
    """A directory within the block; empty where there is none that can be read."""
    try:
        directory: dict[int, Any] = exif.get_ifd(number)
    except Exception:
        return {}
    return directory


def _date(exif: PillowImage.Exif) -> str | None:
    details = _directory(exif, _EXIF_IFD)
    for date, offset in _DATES_AND_OFFSETS:
        if found := _iso_date(details.get(date), details.get(offset)):
            return found
    return _iso_date(exif.get(_DATE_TIME), None)


def _iso_date(date: Any, offset: Any) -> str | None:
    """EXIF's ``2024:05:31 18:30:00`` and ``+02:00`` in ISO 8601; ``None`` for what is no date."""
    for text, layout in ((f"{date}{offset}", "%Y:%m:%d %H:%M:%S%z"), (date, "%Y:%m:%d %H:%M:%S")):
        try:
            return datetime.strptime(str(text).strip("\0 "), layout).isoformat()
        except ValueError:
            continue
    return None


def reason(error: BaseException) -> str:
    """What went wrong, in one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
