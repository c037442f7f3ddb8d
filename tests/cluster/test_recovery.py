"""What is still missing until a cluster has recovered, with what is broken by other faults left out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dfslab.core.guard import Cut, Standing
from dfslab.core.history import FileRow, KeeperRow, ReplicaRow, Table
from dfslab.core.recovery import not_recovered
from dfslab.lab.damage import Damage

KEEPERS = ("keeper-1", "keeper-2", "keeper-3", "keeper-4")
WHOLE = Standing(keepers=KEEPERS)


def table(*holders: str, dead: tuple[str, ...] = (), bad: tuple[str, ...] = ()) -> Table:
    """Return a table with one file on `holders`."""
    rows = {one: ReplicaRow("v1", one, "/x", "corrupt" if one in bad else "valid", 0.0) for one in holders}
    keepers = {one: KeeperRow(one, "dead" if one in dead else "alive") for one in KEEPERS}
    return Table(keepers, {"v1": FileRow("v1", "clip", 10, 0.0)}, {"v1": rows})


def test_nothing_is_missing_when_all_are_alive_and_the_file_has_its_copies() -> None:
    assert not_recovered(table(*KEEPERS[:3]), WHOLE, 3) == []


def test_a_keeper_that_is_not_back_and_copies_that_are_short_are_named() -> None:
    assert not_recovered(table(*KEEPERS[:3], dead=("keeper-2",)), WHOLE, 3) == [
        "the master has not got keeper-2 back",
        "'clip' has 2 of 3 live copies (keeper-1, keeper-3)",
    ]


def test_while_the_master_is_dead_there_is_nothing_to_wait_for() -> None:
    assert not_recovered(table("keeper-1", dead=KEEPERS), replace(WHOLE, dead=("master",)), 3) == []


def test_who_is_broken_by_another_fault_is_neither_waited_for_nor_counted() -> None:
    broken = replace(WHOLE, dead=("keeper-1",), cuts=(Cut(("keeper-2",), ("master",)),))

    assert not_recovered(table(*KEEPERS, dead=("keeper-1", "keeper-2")), broken, 3) == []
    assert not_recovered(table("keeper-1", "keeper-3"), broken, 3) == [
        "'clip' has 1 of 2 live copies (keeper-3)",
    ]


@pytest.mark.parametrize(
    ("broken", "heard"),
    [
        ({"cuts": (Cut(("keeper-1",), ("keeper-2", "keeper-3", "keeper-4")),)}, True),
        ({"cuts": (Cut(("keeper-1",), ("client",)),)}, True),
        ({"cuts": (Cut(("master",), ("keeper-1",), one_way=True),)}, True),
        ({"cuts": (Cut(("keeper-1",), ("master",), one_way=True),)}, False),
        ({"cuts": (Cut(("master",), ("keeper-1",)),)}, False),
        ({"lossy": ("keeper-1",)}, True),
        ({"muted": ("keeper-1",)}, False),
        ({"paused": ("keeper-1",)}, False),
    ],
)
def test_copies_on_a_broken_keeper_count_as_long_as_the_master_hears_it(broken: dict[str, Any], heard: bool) -> None:
    """Nothing is copied in place of them, so that one would wait for ever."""
    standing = replace(WHOLE, **broken)

    short = [] if heard else ["'clip' has 2 of 3 live copies (keeper-3, keeper-4)"]
    assert not_recovered(table("keeper-1", "keeper-3", "keeper-4"), standing, 3) == short
    assert not_recovered(table("keeper-1"), standing, 3) == [], "nobody can copy from there"


def test_a_file_that_is_only_on_broken_keepers_can_not_come_back_yet() -> None:
    broken = replace(WHOLE, paused=("keeper-1",))

    assert not_recovered(table("keeper-1"), broken, 3) == []
    assert not_recovered(table(), broken, 3) == ["'clip' has 0 of 3 live copies (none)"]


def test_a_full_disk_takes_no_copy_but_those_on_it_count() -> None:
    full = replace(WHOLE, full=("keeper-3", "keeper-4"))

    assert not_recovered(table("keeper-1", "keeper-2"), full, 3) == []
    assert not_recovered(table("keeper-1", "keeper-3"), full, 3) == [
        "'clip' has 2 of 3 live copies (keeper-1, keeper-3)"
    ]


def test_a_replica_that_was_found_bad_does_not_count() -> None:
    assert not_recovered(table(*KEEPERS[:3], bad=("keeper-3",)), replace(WHOLE, corrupt=("keeper-3",)), 3) == [
        "'clip' has 2 of 3 live copies (keeper-1, keeper-2)"
    ]


def test_damage_matters_while_the_file_is_there_and_needs_that_copy(tmp_path: Path) -> None:
    path = tmp_path / "v1.data"
    path.write_bytes(b"damaged")
    one = Damage("keeper-1", "v1", path, 7, 0, b"d")

    assert one.matters(table(*KEEPERS[:3]), 3)
    assert one.matters(table(*KEEPERS[:3], bad=("keeper-1",)), 3), "it is known, and not yet made up for"
    assert not one.matters(table(*KEEPERS, bad=("keeper-1",)), 3)
    assert not one.matters(Table(), 3), "the file was deleted"
    path.write_bytes(b"correct")
    assert not one.matters(table(*KEEPERS[:3]), 3)
    path.unlink()
    assert not one.matters(table(*KEEPERS[:3]), 3)
