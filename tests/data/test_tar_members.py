"""Members of archives are read like files, and nothing else is read as one."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from polyglance.data.decode import open_picture, picture_facts
from polyglance.data.tar_members import exists, file_status, members, open_file, open_status
from polyglance.errors import PictureError
from support.shards import picture, shard

FILES = {"a.txt": "first", "deep/b.bin": bytes(range(256)) * 40, "empty.txt": ""}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return shard(tmp_path / "shards" / "0.tar", dict(FILES))


def test_members_are_listed_in_their_order(archive: Path) -> None:
    assert list(members(archive)) == list(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_member_is_read_like_a_file(archive: Path, tmp_path: Path, name: str) -> None:
    content = FILES[name] if isinstance(FILES[name], bytes) else FILES[name].encode()
    plain = tmp_path / "plain"
    plain.write_bytes(content)
    with open_file(archive / name) as found, open_file(plain) as expected:
        assert found.read(3) == expected.read(3)
        assert found.seek(-2, os.SEEK_END) == expected.seek(-2, os.SEEK_END) if content else True
        assert found.read() == expected.read()
        assert found.read() == b""
        assert found.seek(1) == 1
        assert found.tell() == 1
        assert found.read() == content[1:]
        found.seek(0)
        assert hashlib.file_digest(found, "sha256").digest() == hashlib.sha256(content).digest()
    assert found.closed


def test_size_and_time_are_the_members_and_its_archives(archive: Path) -> None:
    os.utime(archive, ns=(5, 7_000_000_000))
    status = file_status(archive / "deep/b.bin")
    assert status == (256 * 40, 7_000_000_000, True)
    with open_file(archive / "deep/b.bin") as file:
        os.utime(archive, ns=(5, 9_000_000_000))
        assert open_status(file) == (256 * 40, 9_000_000_000, True)


def test_files_are_what_they_were(archive: Path) -> None:
    status = archive.stat()
    assert file_status(archive) == (status.st_size, status.st_mtime_ns, True)
    assert not file_status(archive.parent).is_regular
    with open_file(archive) as file:
        assert open_status(file) == file_status(archive)


def test_what_is_not_there_is_not_there(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("a file")
    (tmp_path / "folder.tar").mkdir()
    for path in (
        archive / "b.bin",
        archive / "a.txt" / "a.txt",
        archive / ".." / "0.tar" / "no",
        tmp_path / "absent.tar" / "a.txt",
        tmp_path / "note" / "a.txt",
        tmp_path / "folder.tar" / "a.txt",
    ):
        assert not exists(path)
        for look in (file_status, open_file):
            with pytest.raises(FileNotFoundError) as caught:
                look(path)
            assert caught.value.filename == str(path)
    assert exists(archive / "a.txt")


def test_an_archive_that_changed_is_read_anew(archive: Path) -> None:
    assert exists(archive / "a.txt")
    shard(archive, {"c.txt": "another"})
    os.utime(archive, ns=(0, 1))
    assert not exists(archive / "a.txt")
    with open_file(archive / "c.txt") as file:
        assert file.read() == b"another"


def test_compressed_archives_and_other_files_are_refused(archive: Path, tmp_path: Path) -> None:
    packed, text = tmp_path / "packed.tar", tmp_path / "text.tar"
    packed.write_bytes(gzip.compress(archive.read_bytes()))
    text.write_text("no archive at all" * 100)
    for path in (packed, text):
        with pytest.raises(OSError, match="not an uncompressed tar archive") as caught:
            members(path)
        assert caught.value.errno == errno.EINVAL


def test_of_an_archive_cut_short_only_whole_members_are_there(archive: Path) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(whole[:3000])  # in the middle of the second one
    assert list(members(archive)) == ["a.txt"]


def test_an_archive_cut_short_while_it_is_read_is_an_error(archive: Path) -> None:
    with open_file(archive / "deep/b.bin") as file:
        os.truncate(archive, 2000)
        with pytest.raises(OSError, match="the archive is cut short"):
            file.read()


def test_links_and_folders_in_archives_are_no_members(tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "leads-out").symlink_to("/etc/passwd")
    (tmp_path / "packed" / "file").write_text("there")
    name = shutil.make_archive(str(tmp_path / "made"), "tar", tmp_path, "packed")
    assert list(members(Path(name))) == ["packed/file"]


def test_names_are_taken_from_within_the_archive(tmp_path: Path) -> None:
    files = {"./a.txt": "in it", "/b.txt": "out", "../c.txt": "out", "d/../../e.txt": "out"}
    archive = shard(tmp_path / "0.tar", files)
    assert list(members(archive)) == ["a.txt"]
    with open_file(archive / "a.txt") as found:
        assert found.read() == b"in it"


def test_pictures_are_decoded_from_archives(tmp_path: Path) -> None:
    path = shard(tmp_path / "0.tar", {"1.jpg": picture("red"), "1.txt": "no picture"})
    assert open_picture(path / "1.jpg").size == (64, 64)
    assert picture_facts(path / "1.jpg")[:2] == (64, 64)
    with pytest.raises(PictureError, match=r"1\.txt: not a picture"):
        open_picture(path / "1.txt")
    with pytest.raises(PictureError, match=r"2\.jpg: no such file"):
        open_picture(path / "2.jpg")
