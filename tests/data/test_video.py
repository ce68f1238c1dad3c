"""A video becomes the pictures that a player shows at the sampled moments, or a reason."""

from __future__ import annotations

import io
import os
import struct
import sys
import tracemalloc
from pathlib import Path

import pytest

from polyglance.data.video import Sampling, is_video, open_shown, read_frames
from polyglance.errors import PictureError
from support.clips import clip, colour_of
from support.colours import picture


def shown(source: object, sampling: Sampling) -> list[tuple[float, str]]:
    return [(round(f.moment, 2), colour_of(f.picture)) for f in read_frames(source, sampling)]


def test_sampling_takes_the_middles_of_equal_parts() -> None:
    assert Sampling(4).moments(8.0) == [1.0, 3.0, 5.0, 7.0]
    assert Sampling(300, every=2.0).moments(8.0) == [1.0, 3.0, 5.0, 7.0]
    assert Sampling(2, every=2.0).moments(8.0) == [2.0, 6.0]
    assert Sampling(300, every=2.0).moments(0.3) == [0.15]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "mpeg4"),
        ("a.mov", "libx264"),
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx-vp9"),
        ("a.avi", "mjpeg"),
        ("a.m2ts", "libx264"),
    ],
)
def test_each_scene_is_shown_at_its_moment(tmp_path: Path, name: str, codec: str) -> None:
    path = clip(tmp_path / name, "red", "green", "blue", codec=codec)
    expected = [(0.5, "red"), (1.5, "green"), (2.5, "blue")]
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        found = shown(source, Sampling(3))
        assert [colour for _, colour in found] == [colour for _, colour in expected]
        for (moment, _), (wanted, _) in zip(found, expected, strict=True):
            assert moment == pytest.approx(wanted, abs=0.06)


@pytest.mark.parametrize("gop", [1, 12, 1000])
def test_a_long_video_is_sought_through_to_the_same_frames(tmp_path: Path, gop: int) -> None:
    colours = ["red", "green", "blue", "yellow"]
    path = clip(tmp_path / "a.mp4", *colours, seconds=30, size=(16, 16), gop=gop, rate=2)
    assert shown(path, Sampling(4)) == [(15, "red"), (45, "green"), (75, "blue"), (105, "yellow")]
    every = shown(path, Sampling(500, every=1))
    assert len(every) == 120
    assert every[29:31] == [(29.5, "red"), (30.5, "green")]


def test_a_moment_shows_the_frame_that_was_sampled_there(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", "red", "green", "blue", "white", seconds=0.3)
    for frame in read_frames(path, Sampling(50)):
        again = open_shown(path, moment=frame.moment)
        assert again.tobytes() == frame.picture.tobytes()


def test_a_frame_that_stands_for_several_moments_comes_once(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", "red", "green", seconds=0.1)
    assert shown(path, Sampling(8)) == [(0.0, "red"), (0.1, "green")]


def test_open_shown_without_a_moment_is_a_picture(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", "green")
    assert colour_of(open_shown(path, moment=None)) == "green"


@pytest.mark.parametrize(
    ("matrix", "size", "corner"),
    [
        ((1, 0, 0, 1), (48, 32), "red"),
        ((0, 1, -1, 0), (32, 48), "red"),  # a quarter to the right: left goes up
        ((-1, 0, 0, -1), (48, 32), "blue"),
        ((0, -1, 1, 0), (32, 48), "blue"),
    ],
)
def test_a_camera_held_upright_gives_upright_frames(
    tmp_path: Path, matrix: tuple[int, ...], size: tuple[int, int], corner: str
) -> None:
    path = clip(tmp_path / "a.mp4", ["red", "blue"], size=(48, 32))
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44  # version 0: the matrix of the track, in 16.16 fixed point
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    frame = next(read_frames(bytes(data), Sampling(1)))
    assert frame.picture.size == size
    assert colour_of(frame.picture.crop((0, 0, 8, 8))) == corner
    assert frame.picture.mode == "RGB"


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", "red", size=(48, 32), aspect=(3, 2))
    assert next(read_frames(path, Sampling(1))).picture.size == (72, 32)


def test_what_starts_late_counts_from_its_start(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", "red", "green", first=700)
    assert shown(path, Sampling(2)) == [(0.5, "red"), (1.5, "green")]


def test_a_video_whose_header_lacks_its_length_is_measured(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.flv", "red", "green", codec="flv1")
    data = path.read_bytes()
    at = data.index(b"duration") + len(b"duration") + 1
    path.write_bytes(data[:at] + struct.pack(">d", 0.0) + data[at + 8 :])
    found = shown(path, Sampling(2))
    assert [colour for _, colour in found] == ["red", "green"]


def test_a_video_that_is_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", "red", "green", "blue", codec="mjpeg")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert [colour for _, colour in shown(path, Sampling(6))] == ["red", "red", "green", "green"]


def refused(source: object) -> str:
    with pytest.raises(PictureError) as caught:
        list(read_frames(source, Sampling(4)))
    return str(caught.value)


def test_what_is_no_video_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    assert refused(path) == f"{path}: no such file"
    path.write_bytes(b"")
    assert refused(path).startswith(f"{path}: cannot be decoded: ")
    path.write_bytes(b"hello " * 1000)
    assert refused(path).startswith(f"{path}: cannot be decoded: ")
    whole = clip(tmp_path / "whole.mp4", "red").read_bytes()
    path.write_bytes(whole[: whole.index(b"moov")])
    assert refused(path).startswith(f"{path}: cannot be decoded: ")
    path.write_bytes(whole[: whole.index(b"mdat") + 4] + bytes(len(whole)))
    assert refused(path).startswith(f"{path}: ")
    path.unlink()
    os.mkfifo(path)
    assert refused(path) == f"{path}: a pipe or device, not a picture file"


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    import av
    import numpy as np

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert refused(path) == f"{path}: there is sound in it, but no video"


def test_a_playlist_does_not_lead_to_other_files(tmp_path: Path) -> None:
    clip(tmp_path / "secret.ts", "red")
    for name, text in (
        ("a.m3u8", "#EXTM3U\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n"),
        ("a.mp4", f"ffconcat version 1.0\nfile {tmp_path / 'secret.ts'}\n"),
    ):
        path = tmp_path / name
        path.write_text(text)
        assert refused(path).startswith(f"{path}: cannot be decoded: ")


def test_frames_that_are_too_large_are_refused(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", "red", size=(64, 32))
    with pytest.raises(PictureError, match="64 × 32 pixels a frame, more than the limit of 2,000"):
        list(read_frames(path, Sampling(1), max_pixels=2000))


def test_one_frame_at_a_time_is_in_memory(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", "red", "green", "blue", size=(640, 360), codec="mjpeg")
    tracemalloc.start()
    try:
        for frame in read_frames(path, Sampling(30)):
            frame.picture.close()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 640 * 360 * 3


def test_without_the_extra_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clip(tmp_path / "a.mp4", "red")
    monkeypatch.setitem(sys.modules, "av", None)
    assert refused(path) == (f"{path}: a video; install the extra 'polyglance[video]' to read it")


def test_videos_are_told_by_their_names() -> None:
    assert is_video("a/b.MP4")
    assert is_video(Path("b.webm"))
    assert not is_video("mp4.jpg")
    assert not is_video("code.ts")
