from __future__ import annotations

import re

import pytest

from polyglance.errors import WeightsError
from polyglance.weights.catalogue import ASSETS, GROUPS, expand, find


def test_every_asset_is_pinned_and_says_its_size_and_terms() -> None:
    for asset in ASSETS.values():
        assert asset.packages
        assert asset.megabytes > 0
        assert asset.terms
        for package in asset.packages:
            assert re.fullmatch(r"[0-9a-f]{64}", package.sha256)
            assert package.version[0].isdigit()


def test_every_asset_has_a_converter() -> None:
    from polyglance.weights.fetch import _converter

    for name in ASSETS:
        assert callable(_converter(name))


def test_groups_expand_once() -> None:
    names = [asset.name for asset in expand(["mini", "resnet50", "emoji"])]
    assert names == [*GROUPS["mini"], "emoji"]


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(WeightsError, match=r"'resnet' .* mini, resnet50"):
        find("resnet")
