"""Programs that are killed, at a moment that chance chooses, once they have begun their work."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Sequence

SECONDS_TO_BEGIN = 600.0


def killed(
    words: Sequence[str],
    *,
    begun: Callable[[int], bool],
    chance: random.Random,
    longest: float,
    environment: dict[str, str] | None = None,
) -> bool:
    """Start a program and kill it; whether it was, or had ended before.

    Args:
        words: of its command line.
        begun: whether the process of this number is at work.
        chance: chooses the moment.
        longest: seconds after it has begun.
        environment: of the program.
    """
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        limit = time.monotonic() + SECONDS_TO_BEGIN
        while process.poll() is None and not begun(process.pid):
            assert time.monotonic() < limit, "it does not begin"
            time.sleep(0.002)
        try:
            process.wait(chance.uniform(0, longest))
        except subprocess.TimeoutExpired:
            process.kill()  # SIGKILL: nothing can be tidied up
            process.wait()
            return True
        output = process.stdout.read() if process.stdout else ""
        assert process.returncode == 0, output
        return False
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def completed(words: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """What a program prints that is left alone, and ends well."""
    ended = subprocess.run(
        words, capture_output=True, text=True, check=False, env=environment, timeout=600
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
