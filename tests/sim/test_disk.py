"""The simulated disk: what a loss of power takes, and what it must not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.sim.disk import Disk

seeds = st.integers(0, 2**32)


def disk_of(seed: int) -> Disk:
    return Disk(random.Random(seed))


@given(seeds)
def test_what_was_synced_with_its_name_survives_a_loss_of_power(seed: int) -> None:
    disk = disk_of(seed)
    file = disk.create("a")
    disk.write(file, b"synced")
    disk.sync(file)
    disk.rename("a", "b")
    disk.sync_directory()

    disk.lose_power()

    assert disk.snapshot() == {"b": b"synced"}


def test_what_was_not_synced_may_be_lost_torn_or_there() -> None:
    """Every outcome that POSIX allows happens for some seed, and no other."""
    outcomes = set[bytes | None]()
    for seed in range(300):
        disk = disk_of(seed)
        disk.write(disk.create("a"), b"abcd")
        disk.lose_power()
        outcomes.add(disk.read("a"))

    assert outcomes >= {None, b"", b"abcd", b"ab\0\0"}
    assert all(one is None or (len(one) <= 4 and b"abcd".startswith(one.rstrip(b"\0"))) for one in outcomes)


@given(seeds)
def test_names_that_were_not_synced_are_kept_in_their_order(seed: int) -> None:
    disk = disk_of(seed)
    for name in "abc":
        disk.create(name)

    disk.lose_power()

    assert list(disk.names) in (list("abc")[:kept] for kept in range(4))


@given(seeds)
def test_a_rename_over_a_synced_file_leaves_the_old_or_the_new_one(seed: int) -> None:
    disk = disk_of(seed)
    for name, content in (("a", b"old"), ("b", b"new")):
        file = disk.create(name)
        disk.write(file, content)
        disk.sync(file)
    disk.sync_directory()
    disk.rename("b", "a")

    disk.lose_power()

    assert disk.read("a") in (b"old", b"new")


def test_a_process_that_is_killed_loses_nothing_that_it_wrote() -> None:
    disk = disk_of(1)
    disk.write(disk.create("a"), b"in the page cache")

    assert disk.read("a") == b"in the page cache"


def test_a_full_disk_and_a_failing_sync_say_so() -> None:
    disk = disk_of(1)
    file = disk.create("a")
    disk.is_full = True
    with pytest.raises(OSError, match="No space left"):
        disk.write(file, b"x")
    disk.failing_syncs = 1
    with pytest.raises(OSError, match="Input/output"):
        disk.sync(file)


@given(seeds, st.sampled_from(["bitflip", "truncate"]))
def test_rot_changes_a_file_for_good(seed: int, how: str) -> None:
    disk = disk_of(seed)
    file = disk.create("a")
    disk.write(file, b"some bytes")
    disk.sync(file)
    disk.sync_directory()

    disk.rot("a", how)
    changed = disk.read("a")
    disk.lose_power()

    assert changed != b"some bytes"
    assert disk.read("a") == changed


def test_an_older_copy_takes_the_place_of_all_that_is_there() -> None:
    disk = disk_of(1)
    disk.write(disk.create("old"), b"1")
    copy = disk.snapshot()
    disk.create("new")

    disk.restore(copy)
    disk.lose_power()

    assert disk.snapshot() == {"old": b"1"}


def test_after_a_sync_that_failed_the_next_one_succeeds_and_makes_nothing_durable() -> None:
    """The kernel has dropped the pages and calls them clean (Rebello et al., ATC 2020)."""
    disk = disk_of(1)
    file = disk.create("a")
    disk.write(file, b"lost")
    disk.sync_directory()
    disk.failing_syncs = 1
    with pytest.raises(OSError, match="Input/output"):
        disk.sync(file)

    disk.sync(file)

    assert not file.is_durable


def test_some_syncs_may_succeed_before_one_fails() -> None:
    disk = disk_of(1)
    file = disk.create("a")
    disk.failing_syncs, disk.sound_syncs = 1, 2

    disk.sync(file)
    disk.sync_directory()
    with pytest.raises(OSError, match="Input/output"):
        disk.sync_directory()
