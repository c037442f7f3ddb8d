"""What the nemesis does next: drawn from its seed, within the guard, and never for ever."""

from collections import Counter
from dataclasses import replace

import pytest

from dfslab.core.errors import InvalidOption
from dfslab.core.faults import BREAKING, Action
from dfslab.core.guard import Cut, Standing
from dfslab.core.links import Link
from dfslab.core.nemesis import MOST_STEPS, Discovery, Move, Nemesis

KEEPERS = tuple(f"keeper-{number}" for number in range(1, 7))
WHOLE = Standing(keepers=KEEPERS)
FILES = {"b": ["keeper-1", "keeper-2", "keeper-3"], "a": ["keeper-4", "keeper-5", "keeper-6"]}


def done(standing: Standing, move: Move | None) -> Standing:
    """Return how things stand once a move was made: in the books of the laboratory."""
    if isinstance(move, Discovery):
        return replace(standing, corrupt=tuple(one for one in standing.corrupt if one != move.keeper))
    if move is None:
        return standing
    standing = standing.after(move)
    if move.kind == "set_link":
        ends = (str(move.arguments["node"]), "")
        others = tuple(one for one in standing.links if one != ends)
        is_plain = len(move.arguments) == 5
        return replace(standing, links=others if is_plain else (*others, ends))
    return standing


def history(nemesis: Nemesis, steps: int = 300, standing: Standing = WHOLE) -> list[tuple[Move | None, Standing]]:
    made = []
    for _ in range(steps):
        move = nemesis.next(standing, FILES)
        standing = done(standing, move)
        made.append((move, standing))
    return made


def test_the_same_seed_does_the_same_and_another_does_not() -> None:
    first, again, other = (history(Nemesis(seed=seed)) for seed in (7, 7, 8))

    assert first == again
    assert first != other


@pytest.mark.parametrize("seed", range(10))
def test_never_are_more_broken_than_the_replicas_stand_and_something_is_done_at_each_step(seed: int) -> None:
    made = history(Nemesis(seed=seed))

    assert max(len(standing.broken()) for _, standing in made) == 2
    assert all(move is not None for move, _ in made)


def test_every_kind_is_chosen_and_every_fault_ends_again_after_a_while() -> None:
    made = history(Nemesis(seed=3), steps=600)
    kinds = Counter(move.kind if isinstance(move, Action) else "discovery" for move, _ in made if move)

    assert all(kinds[kind] > 10 for kind in (*BREAKING, "discovery"))
    for begun, ended in [
        ("kill", "restart"),
        ("pause", "resume"),
        ("partition", "heal"),
        ("fill_disk", "free_disk"),
        ("drop_heartbeats", "restore_heartbeats"),
        ("kill_master", "restart_master"),
        ("corrupt", "discovery"),
    ]:
        assert 0 <= kinds[begun] - kinds[ended] <= 2, begun


@pytest.mark.parametrize("seed", range(5))
def test_no_fault_of_a_keeper_outlasts_a_few_steps(seed: int) -> None:
    made = history(Nemesis(seed=seed))

    for index in range(len(made) - 12):
        still = set(made[index][1].broken().items())
        for _, standing in made[index : index + 12]:
            still &= set(standing.broken().items())
        assert not still


def test_with_force_it_breaks_more() -> None:
    made = history(Nemesis(["kill"], seed=1, force=True), steps=100)

    assert max(len(standing.broken()) for _, standing in made) > 2


def test_with_one_replica_it_breaks_only_what_costs_no_copy() -> None:
    made = history(Nemesis(seed=1, replicas=1), steps=200)

    assert all(standing.broken() == {} for _, standing in made)
    assert {"fill_disk", "set_link", "kill_master"} == {
        move.kind for move, _ in made if isinstance(move, Action) and move.kind in BREAKING
    }


def test_what_others_have_broken_counts() -> None:
    nemesis = Nemesis(["kill", "pause"], seed=1)

    assert nemesis.next(replace(WHOLE, dead=("keeper-1", "keeper-2")), FILES) is None
    move = nemesis.next(replace(WHOLE, dead=("keeper-1",)), FILES)
    assert isinstance(move, Action)
    assert move.arguments["keeper"] != "keeper-1"


def test_what_others_have_mended_is_left_alone() -> None:
    nemesis = Nemesis(["pause"], seed=1)
    assert nemesis.next(WHOLE, FILES) is not None

    for _ in range(20):
        move = nemesis.next(WHOLE, FILES)  # somebody resumes at once
        assert isinstance(move, Action)
        assert move.kind == "pause"


def test_a_keeper_is_not_restarted_before_the_master() -> None:
    nemesis = Nemesis(["kill"], seed=1)
    standing = done(WHOLE, nemesis.next(WHOLE, FILES))
    standing = replace(done(standing, nemesis.next(standing, FILES)), dead=("keeper-1", "keeper-2", "master"))

    moves = [nemesis.next(standing, FILES) for _ in range(10)]

    assert not any(isinstance(move, Action) and move.kind == "restart" for move in moves)


def test_its_own_dead_master_comes_back_before_its_dead_keepers() -> None:
    for move, standing in history(Nemesis(["kill", "kill_master"], seed=5)):
        if isinstance(move, Action) and move.kind == "restart":
            assert "master" not in standing.dead


def test_damage_is_not_reported_while_the_client_cannot_reach_the_master() -> None:
    nemesis = Nemesis(["corrupt"], seed=1)
    standing = done(WHOLE, nemesis.next(WHOLE, FILES))
    cut = replace(standing, cuts=(Cut(("client",), ("master",)),))

    assert not any(isinstance(nemesis.next(cut, FILES), Discovery) for _ in range(10))
    assert isinstance(nemesis.next(standing, FILES), Discovery)


def test_only_a_file_with_all_of_its_copies_is_damaged_and_on_a_running_keeper() -> None:
    few = {"a": ["keeper-1", "keeper-2"]}
    assert Nemesis(["corrupt"], seed=1).next(WHOLE, few) is None

    standing = replace(WHOLE, dead=("keeper-1",))
    for seed in range(20):
        move = Nemesis(["corrupt"], seed=seed).next(standing, {"a": ["keeper-1", "keeper-2", "keeper-3"]})
        assert isinstance(move, Action)
        assert move.arguments["keeper"] in ("keeper-2", "keeper-3")


@pytest.mark.parametrize("seed", range(5))
def test_no_keeper_is_damaged_twice_at_once(seed: int) -> None:
    damaged: list[str] = []
    for move, _ in history(Nemesis(["corrupt"], seed=seed)):
        if isinstance(move, Discovery):
            damaged.remove(move.keeper)
        elif move is not None:
            damaged.append(str(move.arguments["keeper"]))
        assert len(set(damaged)) == len(damaged)


def test_when_others_find_its_damage_and_when_it_is_replaced_changes_nothing() -> None:
    """It depends on who reads the file, and would make the same seed do something else each time."""
    one, other = Nemesis(seed=7), Nemesis(seed=7)
    standing = WHOLE
    for _ in range(200):
        move = one.next(replace(standing, corrupt=()), FILES)
        assert move == other.next(replace(standing, corrupt=KEEPERS), FILES)
        standing = done(standing, move)


@pytest.mark.parametrize("seed", range(5))
def test_a_fault_whose_time_is_up_ends_before_another_begins(seed: int) -> None:
    lasting: dict[str, int] = {}
    for move, _ in history(Nemesis(["pause"], seed=seed, replicas=5)):
        assert isinstance(move, Action)
        keeper = str(move.arguments["keeper"])
        if move.kind == "pause":
            assert all(steps < MOST_STEPS for steps in lasting.values())
            lasting[keeper] = 0
        else:
            del lasting[keeper]
        lasting = {one: steps + 1 for one, steps in lasting.items()}


def test_the_fault_whose_time_is_up_ends_before_an_older_one() -> None:
    nemesis = Nemesis(["pause"], seed=1)
    older = nemesis.next(WHOLE, FILES)
    standing = done(WHOLE, older)
    nemesis._mine[0].left = 9
    newer = nemesis.next(standing, FILES)
    nemesis._mine[1].left = 1

    move = nemesis.next(done(standing, newer), FILES)

    assert isinstance(newer, Action)
    assert move == Action("resume", dict(newer.arguments))


def test_there_is_one_partition_at_a_time_since_all_heal_together() -> None:
    nemesis = Nemesis(["partition"], seed=1, replicas=5)
    cut = Cut(("keeper-1",), ("keeper-2",))

    assert nemesis.next(replace(WHOLE, cuts=(cut,)), FILES) is None
    assert max(len(standing.cuts) for _, standing in history(nemesis)) == 1


def test_a_link_goes_back_to_what_it_was_at_the_start() -> None:
    nemesis = Nemesis(["set_link"], seed=1, link=Link(rate_mb_s=20))
    ends = [move for move, _ in history(nemesis, steps=30) if isinstance(move, Action) and len(move.arguments) == 5]

    assert ends
    assert {move.arguments["rate_mb_s"] for move in ends} == {20}


def test_a_fault_that_was_refused_is_forgotten() -> None:
    nemesis = Nemesis(["kill"], seed=1)
    move = nemesis.next(WHOLE, FILES)
    assert isinstance(move, Action)

    nemesis.refused(move)

    for _ in range(5):
        following = nemesis.next(replace(WHOLE, dead=(str(move.arguments["keeper"]),)), FILES)
        assert following is None or (isinstance(following, Action) and following.kind == "kill")
        if isinstance(following, Action):
            nemesis.refused(following)


@pytest.mark.parametrize("kinds", [["kill", "explode"], "explode", [], ["restart"], 5, [[]]])
def test_unknown_kinds_are_refused_and_the_known_are_listed(kinds: object) -> None:
    with pytest.raises(InvalidOption, match="kill_master") as caught:
        Nemesis(kinds)  # type: ignore[arg-type]
    assert caught.value.fields["option"] == "kinds"


def test_one_kind_may_be_given_by_its_name() -> None:
    assert Nemesis("kill").kinds == ("kill",)


def test_the_order_in_which_the_kinds_are_given_decides_nothing() -> None:
    """A set has another order in each process: the same seed must do the same all the same."""
    assert Nemesis({"pause", "kill", "corrupt"}).kinds == Nemesis(["corrupt", "kill", "pause"]).kinds
