"""Having a file converted by a process of its own, within limits."""

from __future__ import annotations

import subprocess
import sys
import threading
from importlib.util import find_spec

from polyglance.data.outside.child import REFUSED
from polyglance.data.outside.formats import SVG, Format
from polyglance.errors import PictureError
from polyglance.processors import processors

SECONDS = 20.0  # on its own, an unhurried drawing takes a fraction of one

_at_once = threading.BoundedSemaphore(processors())  # each may take gigabytes


def convert(data: bytes, form: Format) -> bytes:
    """A file in a format that Pillow reads.

    Args:
        data: of the file.
        form: its format.

    Raises:
        PictureError: the library is not installed, or cannot make a picture of it; then with the
            reason.
    """
    if find_spec(form.library) is None:
        raise _missing(form)
    with _at_once:
        try:
            ended = subprocess.run(  # noqa: S603
                [sys.executable, "-P", "-m", form.program],
                input=data,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PictureError(f"{form.what} that takes more than {SECONDS:g} s") from None
    if ended.returncode == 0:
        return ended.stdout
    if ended.returncode == REFUSED:
        raise PictureError(f"{form.what}: {ended.stderr.decode('utf-8', 'replace').strip()}")
    raise PictureError(f"{form.what} that its decoder breaks on")


def _missing(form: Format) -> PictureError:
    if form is SVG:
        return PictureError("a drawing (SVG); install the extra 'polyglance[svg]' to read it")
    return PictureError("a RAW photo; install the extra 'polyglance[raw]' to read it")
