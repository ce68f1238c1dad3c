from __future__ import annotations

import json

import numpy as np
import pytest

from polyglance.errors import WeightsError
from polyglance.weights.tfjs import read_tfjs

from .packages import tfjs_model

rng = np.random.default_rng(0)
TENSORS = {
    "a/kernel": rng.normal(size=(3, 3, 2, 4)).astype(np.float32),
    "a/bias": rng.normal(size=4).astype(np.float32),
    "step": np.array(3, np.float32),
}


def test_tensors_across_the_borders_of_shards() -> None:
    model, shards = tfjs_model(TENSORS, shards=7)
    read = read_tfjs(model, shards)
    assert list(read) == list(TENSORS)
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(read[name], tensor)


def test_a_missing_shard_is_named() -> None:
    model, shards = tfjs_model(TENSORS)
    del shards["group1-shard2of2.bin"]
    with pytest.raises(WeightsError, match=r"lacks its shards group1-shard2of2\.bin"):
        read_tfjs(model, shards)


def test_bytes_must_come_out_even() -> None:
    model, shards = tfjs_model(TENSORS)
    last = "group1-shard2of2.bin"
    with pytest.raises(WeightsError, match="step runs past the end"):
        read_tfjs(model, {**shards, last: shards[last][:-1]})
    with pytest.raises(WeightsError, match="4 bytes that no tensor claims"):
        read_tfjs(model, {**shards, last: shards[last] + bytes(4)})


def test_quantised_tensors_are_refused() -> None:
    model, shards = tfjs_model(TENSORS)
    content = json.loads(model)
    content["weightsManifest"][0]["weights"][1]["quantization"] = {"dtype": "uint8"}
    with pytest.raises(WeightsError, match="a/bias is not plain float32"):
        read_tfjs(json.dumps(content).encode(), shards)
