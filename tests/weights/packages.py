"""Small packages as the registries give them, and clients that hand them out."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def npm_package(path: Path, files: Mapping[str, bytes]) -> Path:
    """A ``.tgz`` with everything under ``package/``."""
    return tarball(path, {f"package/{name}": content for name, content in files.items()})


def tarball(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def wheel(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tfjs_model(
    tensors: Mapping[str, NDArray[np.float32]], *, shards: int = 2
) -> tuple[bytes, dict[str, bytes]]:
    """``model.json`` and its shards, cut without regard to where tensors end."""
    data = b"".join(np.ascontiguousarray(tensor, "<f4").tobytes() for tensor in tensors.values())
    cuts = [len(data) * index // shards for index in range(shards + 1)]
    names = [f"group1-shard{index + 1}of{shards}.bin" for index in range(shards)]
    entries = [
        {"name": name, "shape": list(tensor.shape), "dtype": "float32"}
        for name, tensor in tensors.items()
    ]
    model = {"format": "layers-model", "weightsManifest": [{"paths": names, "weights": entries}]}
    return json.dumps(model).encode(), {
        name: data[start:end] for name, start, end in zip(names, cuts, cuts[1:], strict=False)
    }


def fake_client(folder: Path, name: str, script: str) -> None:
    """An executable Python script called ``name`` that tests put on the PATH."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport os, shutil, sys, time\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


COPY = """
source = os.environ["FAKE_PACKAGE"]
open(os.environ["FAKE_LOG"], "a").write(" ".join(sys.argv[1:]) + "\\n")
time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
shutil.copy(source, ".")
"""


def path_without(*clients: str) -> str:
    """The PATH without any folder that holds one of ``clients``."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(
        folder
        for folder in folders
        if not any((Path(folder) / client).exists() for client in clients)
    )
