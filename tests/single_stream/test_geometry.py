"""Boxes as waves, against the formula."""

from __future__ import annotations

import math

import pytest
import torch

from polyglance.single_stream.geometry import BoxEncoding


def test_each_number_of_a_box_in_each_wavelength() -> None:
    boxes = torch.tensor([[[0.0, 0.25, 0.5, 1.0], [0.1, 0.2, 0.3, 0.9]], [[0.0] * 4, [0, 0, 1, 1]]])
    encoded = BoxEncoding(frequencies=3)(boxes)
    assert encoded.shape == (2, 2, 24)
    for picture in range(2):
        for region in range(2):
            left, top, right, bottom = boxes[picture, region].tolist()
            expected = []
            for x in ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top):
                angles = [100 * x / 1000 ** (i / 3) for i in range(3)]
                expected += [math.sin(angle) for angle in angles]
                expected += [math.cos(angle) for angle in angles]
            torch.testing.assert_close(
                encoded[picture, region], torch.tensor(expected), rtol=0, atol=1e-5
            )


def test_the_papers_size() -> None:
    encoding = BoxEncoding()
    assert encoding.dimension == 2048
    assert encoding(torch.rand(1, 4)).shape == (1, 2048)
    assert not encoding.state_dict()  # nothing to keep


def test_boxes_stay_apart_in_half_precision() -> None:
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.01, 0.0, 0.51, 0.5]])
    encoding = BoxEncoding(frequencies=4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        encoded = encoding(boxes.bfloat16().float())
    assert encoded.dtype == torch.float32
    torch.testing.assert_close(encoded, encoding(boxes.bfloat16().float()), rtol=0, atol=0)


def test_no_frequency_is_refused() -> None:
    with pytest.raises(ValueError, match="0 frequencies"):
        BoxEncoding(frequencies=0)
