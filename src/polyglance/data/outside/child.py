"""The other end: a program that reads a file from its input and writes a picture to its output."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

REFUSED = 3  # exit code where a reason stands on stderr
CPU_SECONDS = 60  # should nobody be there any more to stop it


class Refused(Exception):  # noqa: N818 -- it is an answer
    """No picture can be made of the file; the message says why."""


def run(convert: Callable[[bytes], bytes], *, memory: int) -> None:
    """Convert one file.

    Args:
        convert: the bytes of the file to those of a picture; raises :class:`Refused`.
        memory: in bytes; taking more ends the process.
    """
    data = sys.stdin.buffer.read()
    _limit(memory)
    try:
        made = convert(data)
    except Refused as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        sys.stderr.buffer.write(reason.encode("utf-8", "replace"))
        sys.exit(REFUSED)
    sys.stdout.buffer.write(made)


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # Windows; the time that it may take is limited all the same
        return
    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in limits.items():
        with suppress(ValueError, OSError):  # where less is allowed already
            resource.setrlimit(what, (most, most))
