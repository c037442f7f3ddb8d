"""Videos to store: a few small real ones, and one of any size.

>>> [video.name for video in videos()]
['test-card.mp4', 'game-of-life.mp4', 'color-waves.mp4', 'mandelbrot-zoom.mp4']

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     make_video(f"{folder}/lecture.mp4", size_mb=0.5).stat().st_size
500000
"""

from __future__ import annotations

import errno
import math
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from dfslab import _mp4
from dfslab.core.errors import InvalidOption, SamplesMissing

MB = 1_000_000  # bytes, as disks and networks count; not 2**20

# An installed wheel carries the videos in the first folder, a checkout in the second.
FOLDERS = (
    Path(__file__).parent / "_sample_videos",
    Path(__file__).parents[1] / "data" / "sample_videos",
)


def videos() -> list[Path]:
    """Return the sample videos that come with dfslab, the smallest first.

    They are real H.264 videos of 2 MB at most, each with a running clock and
    its own name in the picture.

    Raises
    ------
    SamplesMissing
        If they are in neither the installed package nor a checkout.
    """
    for folder in FOLDERS:
        found = sorted(folder.glob("*.mp4"), key=lambda path: (path.stat().st_size, path.name))
        if found:
            return found
    raise SamplesMissing(looked=[str(folder) for folder in FOLDERS])


def make_video(path: str | os.PathLike[str], size_mb: float) -> Path:
    """Write a playable H.264 video of exactly the size asked for.

    It is the largest sample video that is not larger, played over and over; a
    size below that of every sample gives the first frames of the smallest one.
    A file that is there already is replaced once the new one is whole; when
    anything fails, it stays as it was and nothing is left beside it.

    Parameters
    ----------
    path
        Where to write it, by custom a name that ends in ``.mp4``.
    size_mb
        The size in megabytes of 1,000,000 bytes, rounded to whole bytes.

    Returns
    -------
    pathlib.Path
        Where it was written.

    Raises
    ------
    InvalidOption
        If ``size_mb`` is less than one frame needs, or not finite. It is a
        ``ValueError``, and says which size is the smallest.
    SamplesMissing
        If there is no sample video to repeat.
    OSError
        If the video cannot be written: ``FileNotFoundError`` for a folder that
        does not exist, ``PermissionError`` for one that may not be written,
        and so on; ``ENOSPC``, before anything is written, if the disk has too
        little room.
    """
    target = Path(path)
    size = _whole_bytes(size_mb)
    loop = _mp4.read_loop(_sample_for(size))
    _check_room(target.parent, size)
    _write_whole(target, _mp4.pieces(loop, size))
    return target


def _whole_bytes(size_mb: float) -> int:
    smallest = _mp4.smallest_size(_mp4.read_loop(videos()[0]))
    if math.isfinite(size_mb * MB) and round(size_mb * MB) >= smallest:
        return round(size_mb * MB)
    reason = f"the smallest video is {smallest / MB:.6f} MB, which is what one frame needs"
    raise InvalidOption(option="size_mb", value=str(size_mb), reason=reason)


def _sample_for(size: int) -> Path:
    smallest, *others = videos()
    fitting = [path for path in others if path.stat().st_size <= size]
    return fitting[-1] if fitting else smallest


def _check_room(folder: Path, size: int) -> None:
    """Raise at once what would otherwise be found out gigabytes later."""
    free = shutil.disk_usage(folder).free
    if free < size:
        reason = f"{os.strerror(errno.ENOSPC)}: {free / MB:.0f} MB are free, {size / MB:.0f} MB are needed"
        raise OSError(errno.ENOSPC, reason, str(folder))


def _write_whole(target: Path, pieces: Iterable[bytes]) -> None:
    """Write a file under another name beside it and then rename it, so that it is whole or not there."""
    part = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    file = part.open("xb")
    try:
        with file:
            file.writelines(pieces)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
