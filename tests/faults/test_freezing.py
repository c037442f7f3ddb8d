"""Nodes that are frozen, and wall clocks that jump (rows 21, 35)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from dfslab.core.trace import Kind
from tests.faults.case import Case
from tests.faults.dying import Meanwhile, emptiest
from tests.faults.ledger import Ledger
from tests.faults.plugin import row
from tests.faults.waiting import until

KB, MB = 1000, 1000 * 1000


# -- SIGSTOP ----------------------------------------------------------------------------------

FIVE = {"speed": 5.0, "heartbeat_interval_s": 1.0, "heartbeat_timeout_s": 3.0, "replication_interval_s": 5.0}
SIXTY = {"speed": 20.0, "heartbeat_interval_s": 4.0, "heartbeat_timeout_s": 16.0, "replication_interval_s": 15.0}


@row(21)
@pytest.mark.parametrize(("lesson_s", "timers"), [(5.0, FIVE), (60.0, SIXTY)], ids=["5 s", "60 s"])
def test_a_frozen_keeper_is_dead_after_the_timeout_and_back_as_a_new_incarnation(
    case: Case, lesson_s: float, timers: dict[str, Any]
) -> None:
    files = case.start(4, isolation="process", **timers)
    for number in range(4):
        files.upload(f"clip-{number}", case.rng.randrange(50 * KB, 500 * KB))
    files.cluster.wait_for_replicas()
    victim = case.rng.choice(files.holders("clip-0"))
    before = incarnation(files, victim)

    frozen_at = time.monotonic()
    files.cluster.pause(victim)
    files.cluster.wait_for_dead(victim)
    case.strike(f"SIGSTOP for {lesson_s:.0f} s of lesson time")
    files.download("clip-0")
    files.upload("clip-1", case.rng.randrange(50 * KB, 500 * KB))
    files.cluster.wait_for_replicas()
    assert victim not in files.holders("clip-0")
    until("its time", lambda: time.monotonic() - frozen_at >= lesson_s / timers["speed"])
    files.cluster.resume(victim)

    files.cluster.wait_for_alive(victim)
    assert incarnation(files, victim) == before + 1


@row(21)
def test_a_keeper_frozen_in_the_middle_of_an_upload_takes_no_part_in_it_when_it_goes_on(case: Case) -> None:
    files = case.start(3, replicas=2, isolation="process")
    files.upload("earlier", 100 * KB)
    files.cluster.wait_for_replicas()
    victim = emptiest(files)
    files.cluster._nodes.arm(victim, "keeper.receiving", "stop", at=2)

    uploading = Meanwhile(lambda: files.upload("clip", 32 * MB))  # more than the kernel takes
    files.cluster.wait_for_dead(victim)
    case.strike("SIGSTOP in the middle of an upload")
    info = uploading.join()

    assert uploading.error is None
    assert victim not in info.holders
    files.cluster.resume(victim)
    files.cluster.wait_for_alive(victim)
    assert files.version("clip") == info.version


def incarnation(files: Ledger, keeper: str) -> int:
    return next(one.incarnation for one in files.cluster._client.keeper_infos() if one.keeper == keeper)


# -- the wall clock ---------------------------------------------------------------------------

FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)


class WallClock:
    """Moves the wall clock of processes that are started from here on: neither this one's nor the machine's.

    libfaketime answers for CLOCK_REALTIME with an offset that it reads from a file every second; the
    monotonic clock is left alone, as when somebody sets a machine's clock.
    """

    def __init__(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        library = next((path for path in FAKETIME if Path(path).exists()), None)
        if library is None:
            pytest.skip("libfaketime is not installed: `make faketime` does it (Debian, Ubuntu)")
        self._file = case.folder / "wall-clock"
        self.move(0)
        for name, value in {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }.items():
            monkeypatch.setenv(name, value)

    def move(self, offset_s: int) -> None:
        """Have it be so many seconds away from the true time, within a second and at once."""
        whole = self._file.with_suffix(".new")
        whole.write_text(f"{offset_s:+d}\n")
        os.replace(whole, self._file)


@row(35)
def test_a_wall_clock_that_jumps_by_an_hour_kills_nobody(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = WallClock(case, monkeypatch)
    files = case.start(3, isolation="process", heartbeat_timeout_s=100.0)
    files.upload("before", case.rng.randrange(50 * KB, 500 * KB))
    files.cluster.wait_for_replicas()

    for hour_s in (3600, -3600):
        clock.move(hour_s)
        until_off_by(files, hour_s)
        case.strike(f"wall clocks of all nodes {hour_s:+} s")
        until_scans(files, files.count(Kind.SCAN) + 3)

    assert files.count(Kind.KEEPER_DEAD) == 0
    files.delete("before")
    files.download("after")


def until_scans(files: Ledger, count: int) -> None:
    until("some scans", lambda: files.count(Kind.SCAN) >= count)


def until_off_by(files: Ledger, seconds: int) -> None:
    content = files.content(50 * KB)
    until("the jump", lambda: abs(off_by_s(files, content) - seconds) < 60.0)


def off_by_s(files: Ledger, content: bytes) -> float:
    """Upload a file, and return how far the time that it bears is from the true one."""
    files.upload("after", content)
    return files.cluster.stat("after").created_at - time.time()
