"""Weights saved for TensorFlow.js by Keras, read without TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

from polyglance.errors import WeightsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read_tfjs(model: bytes, shards: Mapping[str, bytes]) -> dict[str, NDArray[np.float32]]:
    """Tensors by their Keras name, ``layer/weight``.

    The format ("layers-model") is a JSON file whose ``weightsManifest`` lists groups; a group is
    the concatenation of its shards, holding its tensors one after the other, little endian.

    Args:
        model: content of ``model.json``.
        shards: content of each shard by the path that ``model.json`` gives it.

    Raises:
        WeightsError: a shard is missing, a tensor is not plain float32, or bytes are missing or
            left over.
    """
    import numpy as np

    tensors: dict[str, NDArray[np.float32]] = {}
    for group in json.loads(model)["weightsManifest"]:
        missing = [path for path in group["paths"] if path not in shards]
        if missing:
            raise WeightsError(f"the tfjs model lacks its shards {', '.join(missing)}")
        data = b"".join(shards[path] for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            name, shape = entry["name"], tuple(entry["shape"])
            if entry["dtype"] != "float32" or "quantization" in entry:
                raise WeightsError(f"tfjs tensor {name} is not plain float32")
            count = prod(shape)
            if offset + 4 * count > len(data):
                raise WeightsError(f"tfjs tensor {name} runs past the end of its shards")
            tensors[name] = np.frombuffer(data, "<f4", count, offset).reshape(shape)
            offset += 4 * count
        if offset != len(data):
            raise WeightsError(f"tfjs shards hold {len(data) - offset} bytes that no tensor claims")
    return tensors
