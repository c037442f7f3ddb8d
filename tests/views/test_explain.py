"""Why a keeper holds a copy, or does not: each case is played by the real master, and explained from its trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dfslab
from dfslab.core.errors import InvalidOption, NoSuchFile, UnknownKeeper
from dfslab.core.setup import Setup
from dfslab.core.trace import Kind, Trace, Tracer
from dfslab.views.explanation import Explanation
from dfslab.views.looking import Looking
from dfslab.views.source import Source
from tests.core.worlds import Drop, Lab, Said, lab, orders

NAME = "clip.mp4"


def looking(world: Lab, trace: Trace | None = None) -> Looking:
    kept = trace or world.trace
    setup = Setup(options=world.options)
    return Looking(Source(kept.events, kept.table, lambda: world.now, setup, begin=lambda: kept.begin_s))


def why(world: Lab, keeper: str | int, at: float | None = None) -> Explanation:
    return looking(world).explain(keeper, NAME, at)


def kinds(world: Lab, explanation: Explanation) -> list[Kind]:
    """Return the kinds of the events of a chain, having checked that each is in the trace at its time."""
    events = {event.id: event for event in world.trace.events()}
    assert [events[step.event].time_s for step in explanation.steps] == [step.time_s for step in explanation.steps]
    assert [step.time_s for step in explanation.steps] == sorted(step.time_s for step in explanation.steps)
    return [events[step.event].kind for step in explanation.steps]


def carry_out(world: Lab, said: list[Said], at: float | None = None) -> None:
    """Let every order arrive and be done."""
    todo = orders(said)
    while todo:
        order = todo.pop(0)
        done = world.dropped(order, at=at) if isinstance(order, Drop) else world.arrive(order, at=at)
        todo += orders(done)


def stored(**options: Any) -> Lab:
    """Return four keepers, the first three of which hold a file since 1 s."""
    world = lab(keepers=4, **options)
    world.tick(at=1.0)
    world.store(NAME)
    return world


UPLOAD = [
    Kind.UPLOAD_REQUESTED,
    Kind.SLOT_GRANTED,
    Kind.UPLOAD_STARTED,
    Kind.REPLICA_STORED,
    Kind.FILE_COMMITTED,
]
COPY = [Kind.COPY_ORDERED, Kind.REPLICA_STORED, Kind.REPLICA_RECORDED]


# -- it holds a copy ----------------------------------------------------------------------------


def test_the_first_holder_was_chosen_for_the_upload() -> None:
    """DESIGN §2, steps 1 to 5."""
    world = stored()

    explanation = why(world, "keeper-1")

    assert explanation.answer == "keeper-1 holds a copy of clip.mp4 because the master chose it for the upload at 1.0 s"
    assert kinds(world, explanation) == [*UPLOAD, Kind.REPLICA_RECORDED]


@pytest.mark.parametrize("keeper", ["keeper-2", 3])
def test_the_others_got_theirs_because_of_the_upload(keeper: str | int) -> None:
    """DESIGN §2, step 7."""
    world = stored()

    explanation = why(world, keeper)

    assert explanation.answer.endswith("because clip.mp4 was uploaded at 1.0 s and is kept on 3 keepers")
    assert kinds(world, explanation) == [*UPLOAD, *COPY]


def test_a_repair_is_explained_by_the_death_that_it_repairs() -> None:
    """The issue's own words: keeper-4 holds a copy because keeper-2 missed its heartbeats."""
    world = stored()
    carry_out(world, world.run(4.0, silent=["keeper-2"]))

    explanation = why(world, "keeper-4")

    assert explanation.answer == "keeper-4 holds a copy of clip.mp4 because keeper-2 missed its heartbeats at 3.0 s"
    assert kinds(world, explanation) == [Kind.KEEPER_REGISTERED, Kind.KEEPER_DEAD, *COPY]


SILENCED: list[tuple[str, str, dict[str, Any], str]] = [
    ("kill", "keeper-2", {}, 'cluster.kill("keeper-2")'),
    ("pause", "keeper-2", {}, 'cluster.pause("keeper-2")'),
    ("drop_heartbeats", "keeper-2", {}, 'cluster.drop_heartbeats("keeper-2")'),
    (
        "partition",
        "",
        {"a": ["keeper-2"], "b": ["master"], "one_way": False},
        'cluster.partition(["keeper-2"], ["master"], one_way=False)',
    ),
]


@pytest.mark.parametrize(("action", "node", "detail", "python"), SILENCED)
def test_the_fault_behind_a_death_is_found(action: str, node: str, detail: dict[str, Any], python: str) -> None:
    world = stored()
    world.run(5.0)
    world.tick(at=5.2)
    world.fault("kill", "keeper-9")
    world.fault(action, node, **detail)
    carry_out(world, world.run(9.0, silent=["keeper-2"]))

    explanation = why(world, "keeper-4")

    assert explanation.answer == (
        f"keeper-4 holds a copy of clip.mp4 because keeper-2 missed its heartbeats at 8.2 s, after {python} at 5.2 s"
    )
    assert kinds(world, explanation) == [Kind.HEARTBEAT, Kind.FAULT, Kind.KEEPER_DEAD, *COPY]


def test_a_fault_that_was_over_before_the_last_heartbeat_is_not_blamed() -> None:
    world = stored()
    world.fault("pause", "keeper-2")
    world.run(1.5)
    world.fault("resume", "keeper-2")
    world.run(2.0)
    carry_out(world, world.run(6.0, silent=["keeper-2"]))

    explanation = why(world, "keeper-4")

    assert explanation.answer == "keeper-4 holds a copy of clip.mp4 because keeper-2 missed its heartbeats at 5.0 s"


def test_a_repair_by_the_scan_names_both_the_scan_and_what_it_found() -> None:
    """DESIGN §2: under repair="scan" the scan is the only trigger."""
    world = stored(repair="scan")
    carry_out(world, world.run(10.0))
    said = world.run(20.0, silent=["keeper-2"])
    carry_out(world, said)

    explanation = why(world, "keeper-4")

    assert explanation.answer == (
        "keeper-4 holds a copy of clip.mp4 because keeper-2 missed its heartbeats at 13.0 s; "
        "the scan at 20.0 s ordered the copy"
    )
    assert kinds(world, explanation) == [Kind.HEARTBEAT, Kind.KEEPER_DEAD, Kind.SCAN, *COPY]


@pytest.mark.parametrize("how", ["bitflip", None])
def test_a_replacement_of_a_corrupt_copy_is_explained_by_it(how: str | None) -> None:
    world = stored()
    world.tick(at=2.0)
    if how is not None:
        version = world.version(NAME).id
        world.say("lab", Kind.FAULT, peer="keeper-2", file_name=NAME, version=version, action="corrupt", how=how)
    said = world.bad(NAME, "keeper-2", at=3.0)
    corrupt = why(world, "keeper-2")
    carry_out(world, said, at=3.5)

    fault = ', after cluster.corrupt("clip.mp4", "keeper-2", how="bitflip") at 2.0 s' if how else ""
    assert corrupt.answer == (
        "the copy of clip.mp4 on keeper-2 does not count because it was found corrupt at 3.0 s "
        f"(client: block 0){fault}"
    )
    assert why(world, "keeper-4").answer == (
        f"keeper-4 holds a copy of clip.mp4 because the copy on keeper-2 was found corrupt at 3.0 s{fault}"
    )
    gone = why(world, "keeper-2")
    assert gone.answer == (f"keeper-2 no longer holds a copy of clip.mp4 because it was found corrupt at 3.0 s{fault}")
    assert kinds(world, gone) == [
        *([Kind.FAULT] if how else []),
        Kind.REPLICA_CORRUPT,
        Kind.REPLICA_DROP_ORDERED,
        Kind.REPLICA_FORGOTTEN,
    ]


def test_a_wiped_disk_explains_what_is_missing_there_and_the_copy_that_replaces_it() -> None:
    world = stored()
    world.tick(at=2.0)
    world.fault("kill", "keeper-2")
    world.fault("restart", "keeper-2", wipe=True)
    said = world.register("keeper-2", boot="another", at=2.5)
    missing = why(world, "keeper-2")
    carry_out(world, said, at=2.6)

    because = 'at 2.5 s, after cluster.restart("keeper-2", wipe=True) at 2.0 s'
    assert missing.answer == (
        f"keeper-2 does not hold a copy of clip.mp4 yet, but one is on its way because keeper-2 came back "
        f"without its copy {because}"
    )
    again = why(world, "keeper-2")
    assert again.answer == (f"keeper-2 holds a copy of clip.mp4 because keeper-2 came back without its copy {because}")
    assert kinds(world, again) == [Kind.FAULT, Kind.KEEPER_REGISTERED, *COPY]


def test_a_decommissioned_keepers_copies_go_elsewhere() -> None:
    world = stored()
    world.run(2.0)
    carry_out(world, world.decommission("keeper-2", at=2.5))
    world.tick(at=2.6)

    moved, gone = why(world, "keeper-4"), why(world, "keeper-2")

    assert moved.answer == "keeper-4 holds a copy of clip.mp4 because keeper-2 was to be decommissioned at 2.5 s"
    assert kinds(world, moved) == [Kind.KEEPER_DRAINING, *COPY]
    assert gone.answer == "keeper-2 no longer holds a copy of clip.mp4 because it was decommissioned at 2.6 s"
    assert kinds(world, gone) == [Kind.KEEPER_DRAINING, Kind.KEEPER_DECOMMISSIONED, Kind.REPLICA_FORGOTTEN]


def test_a_copy_that_took_a_second_try_tells_of_the_first() -> None:
    world = stored()
    said = world.run(3.0, silent=["keeper-2"])
    (copy,) = orders(said)
    assert not isinstance(copy, Drop)
    world.fail(copy, at=3.1)
    carry_out(world, world.run(4.0, silent=["keeper-2"]))

    explanation = why(world, "keeper-4")

    assert explanation.answer.endswith("keeper-2 missed its heartbeats at 3.0 s")
    assert kinds(world, explanation) == [Kind.KEEPER_REGISTERED, Kind.KEEPER_DEAD, Kind.COPY_FAILED, *COPY]
    assert "failed: it broke off" in str(explanation)


def test_a_restarted_master_remembers_and_so_does_the_explanation() -> None:
    world = stored()
    version = world.version(NAME)
    world.start_master(at=5.0)
    unheard = why(world, "keeper-2")
    for keeper in ("keeper-1", "keeper-2", "keeper-3"):
        world.register(keeper, version, at=6.0)

    explanation = why(world, "keeper-2")

    assert unheard.answer == (
        "the copy of clip.mp4 on keeper-2 does not count because the master was restarted and has not heard from it yet"
    )
    assert explanation.answer.endswith("because clip.mp4 was uploaded at 1.0 s and is kept on 3 keepers")
    assert kinds(world, explanation) == [*UPLOAD, *COPY, Kind.MASTER_STARTED, Kind.REPLICA_RESTORED]


def test_a_new_life_of_a_root_knows_its_copies_from_the_catalog() -> None:
    world = stored()
    version = world.version(NAME)
    world.trace = Trace()
    world.start_master(at=5.0)
    world.register("keeper-2", version, at=6.0)

    assert why(world, "keeper-2").answer == (
        "keeper-2 holds a copy of clip.mp4 because the master found it in its catalog when it started at 5.0 s"
    )


# -- it does not --------------------------------------------------------------------------------


def test_a_copy_on_a_dead_keeper_does_not_count() -> None:
    world = stored()
    world.run(4.0, silent=["keeper-2"])

    explanation = why(world, "keeper-2")

    assert explanation.answer == (
        "the copy of clip.mp4 on keeper-2 does not count because keeper-2 missed its heartbeats at 3.0 s"
    )
    assert kinds(world, explanation)[-1] is Kind.KEEPER_DEAD


def test_a_copy_on_its_way_is_not_there_yet() -> None:
    world = stored()
    world.run(4.0, silent=["keeper-2"])

    assert why(world, "keeper-4").answer == (
        "keeper-4 does not hold a copy of clip.mp4 yet, but one is on its way because "
        "keeper-2 missed its heartbeats at 3.0 s"
    )


def test_a_surplus_copy_is_explained_by_the_keeper_that_came_back() -> None:
    world = stored()
    version = world.version(NAME)
    carry_out(world, world.run(4.0, silent=["keeper-2"]))
    world.register("keeper-2", version, at=5.0)
    said = world.run(20.0)
    (drop,) = [order for order in orders(said) if isinstance(order, Drop)][:1]
    to_go = why(world, drop.keeper)
    carry_out(world, [drop])

    because = (
        "because the scan at 10.0 s found 4 live copies, 3 wanted, since keeper-2 had come back with its own at 5.0 s"
    )
    assert to_go.answer == f"{drop.keeper} is to delete its copy of clip.mp4 {because}"
    gone = why(world, drop.keeper)
    assert gone.answer == f"{drop.keeper} no longer holds a copy of clip.mp4 {because}"
    assert kinds(world, gone) == [
        Kind.KEEPER_REGISTERED,
        Kind.SCAN,
        Kind.REPLICA_DROP_ORDERED,
        Kind.REPLICA_FORGOTTEN,
    ]


def test_an_overwritten_copy_is_explained_by_the_new_upload() -> None:
    world = stored()
    world.tick(at=2.0)
    said = world.upload(NAME, upload="second", on="keeper-4", content="new")
    drops = [order for order in orders(said) if isinstance(order, Drop)]
    assert (
        why(world, 3).answer == "keeper-3 is to delete its copy of clip.mp4 because the file was overwritten at 2.0 s"
    )
    for drop in drops:
        world.dropped(drop)

    explanation = why(world, "keeper-3")

    assert explanation.answer == "keeper-3 no longer holds a copy of clip.mp4 because the file was overwritten at 2.0 s"
    assert kinds(world, explanation) == [
        *UPLOAD,
        Kind.FILE_DELETED,
        Kind.REPLICA_DROP_ORDERED,
        Kind.REPLICA_FORGOTTEN,
    ]
    assert why(world, "keeper-4").answer.endswith("the master chose it for the upload at 2.0 s")


def test_a_deleted_file_is_explained_though_it_is_gone() -> None:
    world = stored()
    carry_out(world, world.delete(NAME, at=2.0))

    assert why(world, 1).answer == "keeper-1 no longer holds a copy of clip.mp4 because the file was deleted at 2.0 s"


def test_a_keeper_that_never_held_one_says_so_and_where_they_are() -> None:
    explanation = why(stored(), "keeper-4")

    assert explanation.answer == "keeper-4 never held a copy of clip.mp4; it is on keeper-1, keeper-2, keeper-3"
    assert explanation.steps == ()
    assert str(explanation) == explanation.answer


def test_a_renamed_file_is_explained_under_its_new_name() -> None:
    world = stored()
    world.rename(NAME, "film.mp4", at=2.0)

    explanation = looking(world).explain("keeper-1", "film.mp4")

    assert explanation.answer == "keeper-1 holds a copy of film.mp4 because the master chose it for the upload at 1.0 s"


# -- past moments, saved traces, short traces -----------------------------------------------------


def test_a_past_moment_has_its_own_explanation() -> None:
    world = stored()
    carry_out(world, world.run(4.0, silent=["keeper-2"]))

    assert why(world, "keeper-4", at=2.0).answer.startswith("keeper-4 never held a copy of clip.mp4")
    assert why(world, "keeper-2", at=2.0).answer.startswith("keeper-2 holds a copy of clip.mp4")
    assert why(world, "keeper-4", at=4.0) == why(world, "keeper-4")
    with pytest.raises(InvalidOption):
        why(world, "keeper-4", at=4.1)


def test_a_saved_trace_explains_the_same(tmp_path: Path) -> None:
    world = stored()
    carry_out(world, world.run(4.0, silent=["keeper-2"]))

    replay = dfslab.replay(looking(world).trace.to_jsonl(tmp_path / "trace.jsonl"))

    for keeper in range(1, 5):
        assert replay.explain(keeper, NAME) == why(world, keeper)


def test_a_trace_that_lost_its_beginning_says_so() -> None:
    world = stored()
    world.run(4.0)
    short = Trace(capacity=3)
    short.extend(world.trace.events())

    explanation = looking(world, short).explain("keeper-1", NAME)

    assert explanation.answer == (
        "keeper-1 holds a copy of clip.mp4 because of something before 4.0 s, where this trace begins"
    )
    assert looking(world, short).explain("keeper-4", NAME).answer == (
        "keeper-4 never held a copy of clip.mp4 since 4.0 s, where this trace begins; "
        "it is on keeper-1, keeper-2, keeper-3"
    )


def test_causes_that_go_in_a_circle_end_all_the_same() -> None:
    """A file from elsewhere may say anything."""
    world = stored()
    events = world.trace.events()
    by_id = {event.id: event for event in events}
    recorded = next(e for e in events if e.kind is Kind.REPLICA_RECORDED)
    cause = by_id[recorded.cause]
    odd = Trace()
    odd.extend(replace(event, cause=recorded.id) if event is cause else event for event in events)

    assert looking(world, odd).explain("keeper-1", NAME).steps


def test_nobody_and_nothing_are_refused_by_name() -> None:
    world = stored()

    with pytest.raises(UnknownKeeper, match="no keeper 'keeper-9'; there are keeper-1, keeper-2"):
        why(world, "keeper-9")
    with pytest.raises(UnknownKeeper):
        why(world, True)
    with pytest.raises(NoSuchFile, match=r"nowhere\.mp4"):
        looking(world).explain("keeper-1", "nowhere.mp4")
    with pytest.raises(NoSuchFile):
        why(world, "keeper-1", at=0.5)


# -- what it looks like -------------------------------------------------------------------------


def test_it_prints_as_a_chain_with_times() -> None:
    world = stored()
    carry_out(world, world.run(4.0, silent=["keeper-2"]))

    assert str(why(world, "keeper-4")).splitlines() == [
        "keeper-4 holds a copy of clip.mp4 because keeper-2 missed its heartbeats at 3.0 s",
        "  0.000 s  keeper-2 registered and reported what is on its disk",
        "  3.000 s  the master declared keeper-2 dead: it had missed its heartbeats",
        "  3.000 s  the master ordered a copy of clip.mp4 from keeper-1 to keeper-4 (2 of 3 live copies)",
        "  4.000 s  keeper-4 had clip.mp4 safe on its disk and was about to tell the master",
        "  4.000 s  the master recorded the copy of clip.mp4 on keeper-4",
    ]
    assert repr(why(world, "keeper-4")) == str(why(world, "keeper-4"))


def test_its_html_is_escaped() -> None:
    world = lab(keepers=3)
    world.store("<b>.mp4")

    html = looking(world).explain(1, "<b>.mp4")._repr_html_()

    assert "<b>.mp4" not in html
    assert "&lt;b&gt;.mp4" in html
    assert html.count("<tr") == 6


def test_every_kind_of_event_makes_a_sentence() -> None:
    from dfslab.views.sentences import sentence

    detail: dict[str, Any] = {"reason": "r", "source": "keeper-1", "keeper": "keeper-2", "action": "unheard_of"}
    for kind in Kind:
        event = Tracer("keeper-1", "1").event(kind, 1.0, file_name="a", peer="keeper-2", **detail)
        assert sentence(event)
