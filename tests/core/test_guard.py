"""How much may be broken at once."""

from dataclasses import replace

import pytest

from dfslab.core.errors import TooManyFaults
from dfslab.core.faults import Action
from dfslab.core.guard import Cut, Standing, check_guard

K1, K2, K3, K4, K5, K6 = keepers = tuple(f"keeper-{number}" for number in range(1, 7))
WHOLE = Standing(keepers=keepers)


def on(kind: str, keeper: str) -> Action:
    return Action(kind, {"keeper": keeper})


def test_as_many_as_the_replicas_can_stand_may_break_and_no_more() -> None:
    standing = WHOLE
    for keeper in (K1, K2):
        check_guard(standing, on("kill", keeper), replicas=3)
        standing = standing.after(on("kill", keeper))

    with pytest.raises(TooManyFaults) as caught:
        check_guard(standing, on("pause", K3), replicas=3)

    assert caught.value.fields["broken"] == ["keeper-1 (dead)", "keeper-2 (dead)", "keeper-3 (paused)"]
    assert caught.value.fields["limit"] == 2
    assert 'cluster.pause("keeper-3") is refused' in str(caught.value)
    assert "force=True" in str(caught.value)


BREAKING = [
    on("kill", K3),
    on("pause", K3),
    on("drop_heartbeats", K3),
    Action("corrupt", {"name": "a", "keeper": K3}),
    Action("set_link", {"node": K3, "loss": 1}),
    Action("partition", {"a": [K3], "b": ["master"]}),
    Action("partition", {"a": ["client"], "b": [K3], "one_way": True}),
]
HARMLESS = [
    on("fill_disk", K3),
    Action("kill_master"),
    Action("set_link", {"node": K3, "loss": 0.9}),
    Action("set_link", {"node": K3, "other": "client", "loss": 1}),
    Action("partition", {"a": ["client"], "b": ["master"]}),
    Action("add_keeper"),
    on("decommission", K3),
]


@pytest.mark.parametrize("action", BREAKING, ids=lambda action: action.python)
def test_each_way_to_lose_a_keepers_copies_counts(action: Action) -> None:
    with pytest.raises(TooManyFaults, match="keeper-3"):
        check_guard(replace(WHOLE, dead=(K1, K2)), action, replicas=3)


@pytest.mark.parametrize("action", HARMLESS, ids=lambda action: action.python)
def test_what_costs_no_copy_is_never_refused(action: Action) -> None:
    check_guard(replace(WHOLE, dead=(K1, K2)), action, replicas=3)


MENDING = [
    (replace(WHOLE, dead=(K1, K2, K3)), on("restart", K1), (K2, K3)),
    (replace(WHOLE, paused=(K1, K2, K3)), on("resume", K1), (K2, K3)),
    (replace(WHOLE, muted=(K1, K2, K3)), on("restore_heartbeats", K1), (K2, K3)),
    (replace(WHOLE, lossy=(K1, K2, K3)), Action("set_link", {"node": K1, "loss": 0}), (K2, K3)),
    (replace(WHOLE, cuts=(Cut((K1, K2, K3), ("master",)),)), Action("heal"), ()),
    (replace(WHOLE, dead=(K1, K2, K3)), on("decommission", K1), (K2, K3)),
]


@pytest.mark.parametrize(("standing", "action", "left"), MENDING, ids=lambda value: getattr(value, "python", ""))
def test_mending_is_never_refused_however_much_is_broken(
    standing: Standing, action: Action, left: tuple[str, ...]
) -> None:
    check_guard(standing, action, replicas=3)

    assert tuple(standing.after(action).broken()) == left


def test_a_broken_keeper_may_be_broken_once_more() -> None:
    check_guard(replace(WHOLE, muted=(K1, K2, K3)), on("kill", K2), replicas=3)


def test_the_dead_master_and_full_disks_are_remembered_and_end() -> None:
    standing = WHOLE.after(Action("kill_master")).after(on("fill_disk", K1))

    assert (standing.dead, standing.full) == (("master",), (K1,))
    assert standing.after(Action("restart_master")).after(on("free_disk", K1)) == WHOLE


def test_a_killed_keeper_is_not_paused_any_more() -> None:
    killed = replace(WHOLE, paused=(K1,)).after(on("kill", K1))

    assert killed.broken() == {K1: "dead"}
    assert killed.after(on("restart", K1)) == WHOLE


@pytest.mark.parametrize(
    ("cut", "far"),
    [
        (Cut((K1, K2), (K3, "master")), (K1, K2)),
        (Cut(("master", K1), (K2, "client")), (K2, "client")),
        (Cut((K1, "client"), (K2, K3, K4)), (K2, K3, K4)),
        (Cut((K1, K2, K3), (K4, K5)), (K4, K5)),
        (Cut((K1,), (K4,)), (K1,)),
    ],
)
def test_the_far_side_is_away_from_the_master_then_the_client_else_the_smaller(cut: Cut, far: tuple[str, ...]) -> None:
    assert cut.far_side == far


def test_a_partition_separates_in_both_directions_whoever_is_asked() -> None:
    standing = replace(WHOLE, cuts=(Cut((K1,), ("master",), one_way=True),))

    assert standing.separated(K1, "master")
    assert standing.separated("master", K1)
    assert not standing.separated(K2, "master")


def test_with_one_replica_nothing_may_break() -> None:
    with pytest.raises(TooManyFaults, match="with 1 replicas only 0"):
        check_guard(WHOLE, on("kill", K1), replicas=1)
