"""Make a long MP4 video out of a short one, by playing it over and over.

An MP4 file is a row of boxes: a length, a name of four letters, a payload. Some
boxes hold boxes. ``mdat`` holds the compressed frames one after another, and
the tables under ``moov`` say how long each frame is, where it lies and when it
is shown. To lengthen a video, its frames are repeated as they are and its
tables are written anew; no picture is decoded or encoded.

Section numbers are those of ISO/IEC 14496-12:2015 (the ISO base media file
format).
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
BOX_HEADER_BYTES = 8


class LoopError(ValueError):
    """A video is not of the plain kind that this module can repeat; nothing was written."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A short video taken apart, ready to be repeated.

    Attributes
    ----------
    ftyp, moov
        The payloads of the boxes of these names, as they were read.
    media
        The compressed frames, one after another.
    frame_bytes
        The length of each frame in bytes.
    sync_frames
        The frames that decoding can start at, counted from 1. The first frame
        is one of them, so that it can follow the last.
    frame_ticks
        How long each frame is shown, in ticks of the track's clock.
    track_ticks, movie_ticks
        Ticks per second of the track's clock and of the movie's.
    """

    ftyp: bytes
    moov: bytes
    media: bytes
    frame_bytes: tuple[int, ...]
    sync_frames: tuple[int, ...]
    frame_ticks: int
    track_ticks: int
    movie_ticks: int


def read_loop(path: Path) -> Loop:
    """Take a short video apart.

    The file is read into memory as a whole.

    Parameters
    ----------
    path
        An MP4 file with one track, frames shown in the order in which they are
        stored and each for the same time, and nothing but frames in its
        ``mdat``: what ``data/sample_videos/make_samples.sh`` makes.

    Raises
    ------
    LoopError
        If the file is not like that.
    OSError
        If the file cannot be read.
    """
    try:
        return _take_apart(path.read_bytes())
    except KeyError as error:
        raise LoopError(f"{path} cannot be repeated: it has no box {error}") from error
    except (struct.error, LoopError) as error:
        raise LoopError(f"{path} cannot be repeated: {error}") from error


def _take_apart(data: bytes) -> Loop:
    top = dict(_boxes(data))
    inner = dict(_leaves(top[b"moov"]))
    runs, *durations = _table(inner[b"stts"])  # of frames shown equally long: (frames, ticks)
    _, frames, *frame_bytes = _table(inner[b"stsz"])
    _, *sync_frames = _table(inner[b"stss"])
    if b"ctts" in inner or b"edts" in inner:
        raise LoopError("its frames are not shown in the order in which they are stored")
    if any(inner[kind][0] != 0 for kind in (b"mvhd", b"tkhd", b"mdhd")):
        raise LoopError("one of its headers is not of version 0")
    if runs != 1:
        raise LoopError("its frames are not all shown for the same time")
    if len(frame_bytes) != frames or sum(frame_bytes) != len(top[b"mdat"]):
        raise LoopError("its mdat box holds something besides the frames of one track")
    if sync_frames[:1] != [1]:
        raise LoopError("decoding cannot start at its first frame")
    return Loop(
        ftyp=top[b"ftyp"],
        moov=top[b"moov"],
        media=top[b"mdat"],
        frame_bytes=tuple(frame_bytes),
        sync_frames=tuple(sync_frames),
        frame_ticks=durations[1],
        track_ticks=_ticks_per_second(inner[b"mdhd"]),
        movie_ticks=_ticks_per_second(inner[b"mvhd"]),
    )


def smallest_size(loop: Loop) -> int:
    """Return the length in bytes of the shortest video: one frame of the loop."""
    return _size(loop, frames=1)


def pieces(loop: Loop, size: int) -> Iterator[bytes]:
    """Yield a video of exactly ``size`` bytes, piece by piece.

    It holds as many frames as fit. The few bytes that are left over are filled
    with a ``free`` box, which players skip (8.1.2). Memory is needed for one
    loop and for the tables, about 1 MB per GB of video.

    Parameters
    ----------
    loop
        The video to repeat.
    size
        The length in bytes, ``smallest_size(loop)`` or more.
    """
    frames = _frames_that_fit(loop, size)
    rounds, rest = divmod(frames, len(loop.frame_bytes))
    yield _head(loop, frames, first_chunk=len(_head(loop, frames)))
    for _ in range(rounds):
        yield loop.media
    yield loop.media[: sum(loop.frame_bytes[:rest])]
    yield _box(b"free", bytes(size - _size(loop, frames)))


def _frames_that_fit(loop: Loop, size: int) -> int:
    most = (size // len(loop.media) + 1) * len(loop.frame_bytes)
    return bisect.bisect_right(range(1, most + 1), size, key=lambda frames: _size(loop, frames))


def _size(loop: Loop, frames: int) -> int:
    """Return the length in bytes of a video of so many frames and an empty ``free`` box."""
    return len(_head(loop, frames)) + _media_bytes(loop, frames) + BOX_HEADER_BYTES


def _media_bytes(loop: Loop, frames: int) -> int:
    rounds, rest = divmod(frames, len(loop.frame_bytes))
    return rounds * len(loop.media) + sum(loop.frame_bytes[:rest])


def _head(loop: Loop, frames: int, first_chunk: int = 0) -> bytes:
    """Return everything before the frames; its length does not depend on ``first_chunk``.

    The length of ``mdat`` and all durations are written with 64 bits whether
    they need them or not, so that there is one layout for every size.
    """
    mdat_bytes = 2 * BOX_HEADER_BYTES + _media_bytes(loop, frames)
    return (
        _box(b"ftyp", loop.ftyp)
        + _box(b"moov", _edited(loop.moov, _tables(loop, frames, first_chunk)))
        + struct.pack(">I4sQ", 1, b"mdat", mdat_bytes)
    )


def _tables(loop: Loop, frames: int, first_chunk: int) -> dict[bytes, bytes]:
    """Return the boxes that change when the loop is played for so many frames.

    Every round of the loop is one chunk, the last of which may be cut short.
    ``first_chunk`` is where the first lies, in bytes from the start of the file.
    """
    per_round = len(loop.frame_bytes)
    rounds, rest = divmod(frames, per_round)
    chunks = rounds + (rest > 0)
    track_ticks = frames * loop.frame_ticks
    movie_ticks = -(-track_ticks * loop.movie_ticks // loop.track_ticks)  # rounded up
    inner = dict(_leaves(loop.moov))

    sizes = _words(*loop.frame_bytes)
    starts = [r * per_round + f for r in range(chunks) for f in loop.sync_frames]
    starts = starts[: bisect.bisect_right(starts, frames)]
    runs = [(1, per_round, 1)] * (rounds > 0) + [(chunks, rest, 1)] * (rest > 0)
    offsets = [first_chunk + r * len(loop.media) for r in range(chunks)]
    return {
        b"mvhd": _box(b"mvhd", _lasting(inner[b"mvhd"], movie_ticks, between=4)),  # 8.2.2
        b"tkhd": _box(b"tkhd", _lasting(inner[b"tkhd"], movie_ticks, between=8)),  # 8.3.2
        b"mdhd": _box(b"mdhd", _lasting(inner[b"mdhd"], track_ticks, between=4)),  # 8.4.2
        b"stts": _box(b"stts", _words(0, 1, frames, loop.frame_ticks)),  # 8.6.1.2
        b"stss": _box(b"stss", _words(0, len(starts), *starts)),  # 8.6.2
        b"stsz": _box(b"stsz", _words(0, 0, frames) + sizes * rounds + sizes[: 4 * rest]),  # 8.7.3
        b"stsc": _box(b"stsc", _words(0, len(runs), *(word for run in runs for word in run))),
        b"stco": _box(b"co64", _words(0, chunks) + struct.pack(f">{chunks}Q", *offsets)),  # 8.7.5
    }


def _lasting(header: bytes, ticks: int, *, between: int) -> bytes:
    """Return the payload of a header of version 0 in version 1, with another duration.

    The three headers begin alike: version and flags, two dates, some bytes
    ``between``, the duration. Version 1 widens the dates and the duration to
    64 bits.
    """
    flags, created, modified = struct.unpack_from(">III", header)
    rest = 12 + between
    return (
        struct.pack(">IQQ", 1 << 24 | flags, created, modified)
        + header[12:rest]
        + struct.pack(">Q", ticks)
        + header[rest + 4 :]
    )


def _ticks_per_second(header: bytes) -> int:
    return int.from_bytes(header[12:16])


def _table(payload: bytes) -> tuple[int, ...]:
    """Return the 32-bit numbers of a table that follow its version and flags."""
    return struct.unpack(f">{len(payload) // 4 - 1}I", payload[4:])


def _words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", BOX_HEADER_BYTES + len(payload), kind) + payload


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the payload of each box in a row of boxes (4.2)."""
    start = 0
    while start < len(data):
        size, kind = struct.unpack_from(">I4s", data, start)
        if not BOX_HEADER_BYTES <= size <= len(data) - start:
            raise LoopError(f"its box {kind!r} is cut off, or longer than 4 GB")
        yield kind, data[start + BOX_HEADER_BYTES : start + size]
        start += size


def _leaves(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the boxes of a row, and in place of a container the boxes in it."""
    for kind, payload in _boxes(data):
        if kind in CONTAINERS:
            yield from _leaves(payload)
        else:
            yield kind, payload


def _edited(data: bytes, edits: Mapping[bytes, bytes]) -> bytes:
    """Return a row of boxes in which those named in ``edits`` are replaced, at any depth."""
    edited = []
    for kind, payload in _boxes(data):
        if kind in edits:
            edited.append(edits[kind])
        elif kind in CONTAINERS:
            edited.append(_box(kind, _edited(payload, edits)))
        else:
            edited.append(_box(kind, payload))
    return b"".join(edited)
