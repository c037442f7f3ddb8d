"""The sample videos play, and make_video makes playable ones of exactly the size asked for.

PyAV (the decoder of ffmpeg) is the judge of what plays. Nothing here waits.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfslab import _mp4, samples
from dfslab.core.errors import DfsError, InvalidOption, SamplesMissing

MB = 1_000_000
SECONDS = {"test-card.mp4": 4, "game-of-life.mp4": 7, "color-waves.mp4": 10, "mandelbrot-zoom.mp4": 20}
FRAMES_PER_SECOND = 25
WORD_0, WORD_1, WORD_2 = (number.to_bytes(4) for number in range(3))


@dataclass(frozen=True)
class Video:
    """What a player finds in a file; times in ticks of the track's clock."""

    codec: str
    listed_frames: int  # by the container's table
    seconds: float
    times: list[int]
    keyframe_times: list[int]
    packet_bytes: int


def demuxed(path: Path) -> Video:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert len(container.streams) == 1
        assert stream.duration is not None
        assert stream.time_base is not None
        packets = [packet for packet in container.demux(stream) if packet.size]
        return Video(
            codec=stream.codec_context.name,
            listed_frames=stream.frames,
            seconds=float(stream.duration * stream.time_base),
            times=[packet.pts for packet in packets if packet.pts is not None],
            keyframe_times=[packet.pts for packet in packets if packet.pts is not None and packet.is_keyframe],
            packet_bytes=sum(packet.size for packet in packets),
        )


def pictures(path: Path, *, start: int = 0, count: int | None = None) -> Iterator[str]:
    """Yield a digest of each decoded picture, from the keyframe at ``start`` (in ticks) on."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"err_detect": "explode"}
        container.seek(start, stream=stream)
        for number, frame in enumerate(container.decode(stream)):
            if number == count:
                return
            assert number or frame.pts == start
            assert not frame.is_corrupt
            yield hashlib.md5(b"".join(bytes(plane) for plane in frame.planes)).hexdigest()


def assert_evenly_timed(video: Video) -> None:
    step = video.times[1] if len(video.times) > 1 else 0
    assert video.times == [number * step for number in range(len(video.times))]
    assert len(video.times) == video.listed_frames
    assert video.seconds == pytest.approx(len(video.times) / FRAMES_PER_SECOND)


def is_whole_boxes(path: Path) -> bool:
    """Tell whether the file is a row of boxes to its last byte (ISO/IEC 14496-12, 4.2)."""
    with path.open("rb") as file:
        at, end = 0, path.stat().st_size
        while at < end:
            file.seek(at)
            header = file.read(16)
            size = int.from_bytes(header[:4])
            at += int.from_bytes(header[8:]) if size == 1 else size
            if size == 0:
                return False
        return at == end


def numbers(payload: bytes, size: int = 4) -> list[int]:
    """Return the big-endian numbers of a table, without its version and flags."""
    assert len(payload) % size == 4 % size
    return [int.from_bytes(payload[at : at + size]) for at in range(4, len(payload), size)]


def clock(ticks_per_second: int, ticks: int) -> bytes:
    return ticks_per_second.to_bytes(4) + ticks.to_bytes(8)


# The sample videos


@pytest.mark.parametrize("path", samples.videos(), ids=lambda path: path.name)
def test_a_sample_is_a_small_h264_video_that_decodes_to_its_last_frame(path: Path) -> None:
    video = demuxed(path)

    assert path.stat().st_size <= 2 * MB
    assert video.codec == "h264"
    assert video.seconds == SECONDS[path.name]
    assert_evenly_timed(video)
    assert len(list(pictures(path))) == SECONDS[path.name] * FRAMES_PER_SECOND


def test_the_samples_come_smallest_first() -> None:
    sizes = [path.stat().st_size for path in samples.videos()]

    assert sizes == sorted(sizes)
    assert {path.name for path in samples.videos()} == set(SECONDS)


def test_the_readme_of_the_samples_gives_their_sizes() -> None:
    for path in samples.videos():
        readme = (path.parent / "README.md").read_text(encoding="utf-8")
        [row] = [line for line in readme.splitlines() if line.startswith(f"| `{path.name}`")]
        assert f"{SECONDS[path.name]} s" in row
        assert f"{path.stat().st_size:,}" in row


def test_an_installed_package_prefers_the_videos_it_carries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    carried = tmp_path / "_sample_videos"
    carried.mkdir()
    (carried / "only.mp4").write_bytes(b"")
    monkeypatch.setattr(samples, "FOLDERS", (carried, samples.FOLDERS[1]))

    assert samples.videos() == [carried / "only.mp4"]


def test_missing_samples_are_an_error_that_says_where_they_were_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(samples, "FOLDERS", (tmp_path / "wheel", tmp_path / "checkout"))

    for call in (samples.videos, lambda: samples.make_video(tmp_path / "new.mp4", 1)):
        with pytest.raises(SamplesMissing, match=r"wheel or .*checkout") as caught:
            call()
        assert isinstance(caught.value, DfsError)
        assert isinstance(caught.value, FileNotFoundError)
    assert list(tmp_path.iterdir()) == []


# make_video: the size is exact, and it plays


@pytest.mark.parametrize("size_mb", [0.05, 0.3, 1, 2.5])
def test_a_video_made_to_measure_has_its_exact_size_and_decodes_to_its_last_frame(
    tmp_path: Path, size_mb: float
) -> None:
    path = samples.make_video(tmp_path / "new.mp4", size_mb)

    video = demuxed(path)
    assert path == tmp_path / "new.mp4"
    assert path.stat().st_size == size_mb * MB
    assert video.codec == "h264"
    assert is_whole_boxes(path)
    assert_evenly_timed(video)
    assert len(list(pictures(path))) == video.listed_frames


@pytest.mark.parametrize("size_mb", [7.3, 64])
def test_a_larger_video_is_exact_and_can_be_entered_at_its_last_keyframe(tmp_path: Path, size_mb: float) -> None:
    path = samples.make_video(tmp_path / "new.mp4", size_mb)

    video = demuxed(path)
    assert path.stat().st_size == size_mb * MB
    assert is_whole_boxes(path)
    assert_evenly_timed(video)
    after_last_keyframe = [time for time in video.times if time >= video.keyframe_times[-1]]
    assert len(list(pictures(path, count=50))) == 50
    assert len(list(pictures(path, start=video.keyframe_times[-1]))) == len(after_last_keyframe)


@pytest.mark.parametrize("size_mb", [0.05, 0.3, 7.3])
def test_the_tables_agree_with_each_other_and_leave_no_byte_over(tmp_path: Path, size_mb: float) -> None:
    """PyAV forgives much that a stricter player does not (ISO/IEC 14496-12, 8.2 to 8.7)."""
    data = samples.make_video(tmp_path / "new.mp4", size_mb).read_bytes()
    ftyp_bytes = int.from_bytes(data[:4])
    moov_bytes = int.from_bytes(data[ftyp_bytes : ftyp_bytes + 4])
    mdat = ftyp_bytes + moov_bytes
    boxes = dict(_mp4._leaves(data[ftyp_bytes:mdat]))
    frames = demuxed(tmp_path / "new.mp4").listed_frames

    assert numbers(boxes[b"stts"]) == [1, frames, 512]
    zero, count, *frame_bytes = numbers(boxes[b"stsz"])
    assert (zero, count) == (0, len(frame_bytes)) == (0, frames)
    count, *sync_frames = numbers(boxes[b"stss"])
    assert count == len(sync_frames)
    assert sync_frames == sorted(set(sync_frames))
    assert sync_frames[0] == 1
    assert sync_frames[-1] <= frames

    [chunks] = numbers(boxes[b"co64"][:8])
    offsets = numbers(boxes[b"co64"][4:], size=8)
    count, *runs = numbers(boxes[b"stsc"])
    assert (len(offsets), len(runs)) == (chunks, 3 * count)
    starts = [first - 1 for first in runs[::3]] + [chunks]
    lengths = [n for n, start, end in zip(runs[1::3], starts[:-1], starts[1:], strict=True) for _ in range(start, end)]
    assert sum(lengths) == frames
    at, frame = mdat + 16, 0
    for offset, length in zip(offsets, lengths, strict=True):
        assert offset == at
        at += sum(frame_bytes[frame : frame + length])
        frame += length
    assert at == mdat + int.from_bytes(data[mdat + 8 : mdat + 16])

    milliseconds = frames * 1000 // FRAMES_PER_SECOND
    assert (len(boxes[b"mvhd"]), boxes[b"mvhd"][0], boxes[b"mvhd"][20:32]) == (112, 1, clock(1000, milliseconds))
    assert (len(boxes[b"mdhd"]), boxes[b"mdhd"][0], boxes[b"mdhd"][20:32]) == (36, 1, clock(12800, frames * 512))
    assert (len(boxes[b"tkhd"]), boxes[b"tkhd"][0], boxes[b"tkhd"][20:24]) == (96, 1, WORD_1)
    assert boxes[b"tkhd"][28:36] == milliseconds.to_bytes(8)


def test_no_more_than_a_frame_and_its_place_in_the_tables_is_left_unused(tmp_path: Path) -> None:
    path = samples.make_video(tmp_path / "new.mp4", 64)
    loop = _mp4.read_loop(samples.videos()[-1])

    video = demuxed(path)
    tables = len(loop.moov) + 4 * video.listed_frames + 4 * len(video.keyframe_times) + 8 * 64
    unused = path.stat().st_size - video.packet_bytes - tables
    assert unused < max(loop.frame_bytes) + 100


def test_every_round_shows_the_pictures_of_the_sample_from_its_first_frame(tmp_path: Path) -> None:
    sample = samples.videos()[0]
    once = list(pictures(sample))
    loop = _mp4.read_loop(sample)
    path = tmp_path / "new.mp4"
    path.write_bytes(b"".join(_mp4.pieces(loop, 400_000)))

    shown = list(pictures(path))
    assert 200 < len(shown) < 300
    assert shown == (once * 3)[: len(shown)]


def test_each_round_can_be_entered_where_the_sample_can(tmp_path: Path) -> None:
    path = samples.make_video(tmp_path / "new.mp4", 7.3)
    sample = demuxed(samples.videos()[-1])
    round_ticks = sample.times[1] * sample.listed_frames

    entries = demuxed(path).keyframe_times
    expected = [turn * round_ticks + time for turn in range(5) for time in sample.keyframe_times]
    assert len(entries) > 3 * len(sample.keyframe_times)
    assert entries == expected[: len(entries)]


def test_places_beyond_four_gigabytes_are_found_again(tmp_path: Path) -> None:
    """64-bit chunk offsets and lengths (8.7.5, 4.2), on a file that is mostly a hole."""
    size = 6_000 * MB
    path = tmp_path / "huge.mp4"
    with path.open("wb") as file:
        written = 0
        for piece in _mp4.pieces(_mp4.read_loop(samples.videos()[-1]), size):
            if written == 0 or written > size - 6 * MB:
                file.write(piece)
            else:
                file.seek(len(piece), 1)
            written += len(piece)

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert path.stat().st_size == written == size
        assert is_whole_boxes(path)
        assert stream.duration is not None
        last = stream.duration - stream.duration // stream.frames
        container.seek(last, stream=stream)
        times = [frame.pts for frame in container.decode(stream)]
    assert times[-1] == last
    assert len(times) <= 50


def test_the_smallest_size_is_a_video_of_one_frame(tmp_path: Path) -> None:
    loop = _mp4.read_loop(samples.videos()[0])
    path = samples.make_video(tmp_path / "one.mp4", _mp4.smallest_size(loop) / MB)

    assert path.stat().st_size == _mp4.smallest_size(loop)
    assert demuxed(path).listed_frames == len(list(pictures(path))) == 1


SMALLEST = _mp4.smallest_size(_mp4.read_loop(samples.videos()[0]))


@settings(max_examples=40, deadline=None)
@given(size=st.integers(min_value=SMALLEST, max_value=3 * MB))
def test_any_size_is_met_to_the_byte_by_a_video_that_parses(size: int) -> None:
    with TemporaryDirectory() as folder:
        path = samples.make_video(Path(folder) / "new.mp4", size / MB)

        video = demuxed(path)
        assert path.stat().st_size == size
        assert is_whole_boxes(path)
        assert_evenly_timed(video)
        assert len(list(pictures(path, start=video.keyframe_times[-1]))) >= 1


# make_video: what is refused, and that a failure leaves nothing


@pytest.mark.parametrize("size_mb", [(SMALLEST - 1) / MB, 0, -1, math.nan, math.inf, -math.inf, 1e305])
def test_a_size_that_cannot_be_is_refused_with_the_smallest_that_can(tmp_path: Path, size_mb: float) -> None:
    with pytest.raises(InvalidOption, match=f"smallest video is {SMALLEST / MB:.6f} MB") as caught:
        samples.make_video(tmp_path / "new.mp4", size_mb)

    assert isinstance(caught.value, ValueError)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_half_way_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    """The operating system stops the file at 1 MB, as a full disk would."""
    resource = pytest.importorskip("resource")
    (tmp_path / "old.mp4").write_bytes(b"as it was")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MB, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            samples.make_video(tmp_path / "old.mp4", 5)
        with pytest.raises(OSError, match="File too large"):
            samples.make_video(tmp_path / "new.mp4", 5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert [path.name for path in tmp_path.iterdir()] == ["old.mp4"]
    assert (tmp_path / "old.mp4").read_bytes() == b"as it was"


def test_a_video_replaces_the_file_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "old.mp4").write_bytes(b"as it was")

    samples.make_video(str(tmp_path / "old.mp4"), 0.05)

    assert [path.name for path in tmp_path.iterdir()] == ["old.mp4"]
    assert (tmp_path / "old.mp4").stat().st_size == 50_000


def test_a_place_that_cannot_be_written_is_the_error_of_the_operating_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(FileNotFoundError):
        samples.make_video(tmp_path / "missing" / "new.mp4", 0.05)
    with pytest.raises(NotADirectoryError):
        samples.make_video(tmp_path / "file" / "new.mp4", 0.05)
    with pytest.raises(IsADirectoryError):
        samples.make_video(tmp_path, 0.05)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert list(tmp_path.parent.glob(".*.part")) == []


def test_a_video_larger_than_the_disk_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No space left on device: .* MB are free, 1000000000000 MB are needed"):
        samples.make_video(tmp_path / "new.mp4", 1e12)

    assert list(tmp_path.iterdir()) == []


# What can't be repeated is refused, not repeated wrongly


def changed(before: bytes, after: bytes) -> bytes:
    data = samples.videos()[0].read_bytes()
    assert data.count(before) == 1
    return data.replace(before, after)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "has no box b'moov'"),
        (b"not a video at all", "cut off"),
        (samples.videos()[0].read_bytes()[:-1], "'mdat' is cut off"),
        (changed(b"stss", b"sdtp"), "has no box b'stss'"),
        (changed(b"vmhd", b"ctts"), "order in which they are stored"),
        (changed(b"stts" + WORD_0 + WORD_1, b"stts" + WORD_0 + WORD_2), "the same time"),
        (changed(b"stss" + WORD_0 + WORD_2 + WORD_1, b"stss" + WORD_0 + WORD_2 + WORD_2), "first frame"),
        (changed(b"mdhd" + WORD_0, b"mdhd\x01" + WORD_0[1:]), "version 0"),
        (changed(b"stsz" + 2 * WORD_0 + b"\0\0\0\x64", b"stsz" + 2 * WORD_0 + b"\0\0\0\x63"), "besides the frames"),
    ],
    ids=["empty", "text", "truncated", "no stss", "reordered", "uneven", "late start", "version 1", "more"],
)
def test_a_video_that_cannot_be_repeated_is_refused_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "odd.mp4").write_bytes(data)

    with pytest.raises(_mp4.LoopError, match=rf"odd\.mp4 cannot be repeated: .*{reason}"):
        _mp4.read_loop(tmp_path / "odd.mp4")
