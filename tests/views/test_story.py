"""What happened, in sentences: to one file and the nodes meanwhile, or to everything."""

from __future__ import annotations

import pytest

from dfslab.core.errors import InvalidOption, NoSuchFile
from dfslab.core.setup import Setup
from dfslab.core.trace import Kind
from dfslab.views.looking import Looking
from dfslab.views.source import Source
from dfslab.views.story import NODES
from tests.core.worlds import Lab
from tests.views.story import Story
from tests.views.test_explain import carry_out, stored


def looking(world: Lab) -> Looking:
    return Looking(Source(world.trace.events, world.trace.table, lambda: world.now, Setup(options=world.options)))


def told(view: Looking, *args: object, **kwargs: object) -> list[str]:
    return [step.sentence for step in view.story(*args, **kwargs).steps]  # type: ignore[arg-type]


def test_a_files_story_has_every_step_of_its_upload_and_what_befell_the_nodes_and_nothing_of_other_files() -> None:
    world = stored()
    world.store("other.mp4")
    world.fault("pause", "keeper-2")
    carry_out(world, world.run(5.0, silent=["keeper-2"]))

    sentences = told(looking(world), "clip.mp4", since_s=0.5)

    assert sentences[:6] == [
        "client asked the master to store clip.mp4",
        "the master chose keeper-1 for the upload",
        "client began to send clip.mp4 to keeper-1",
        "keeper-1 had clip.mp4 safe on its disk and was about to tell the master",
        "the master committed clip.mp4 (25 B)",
        "the master recorded the copy of clip.mp4 on keeper-1",
    ]
    assert 'cluster.pause("keeper-2")' in sentences
    assert "the master declared keeper-2 dead: it had missed its heartbeats" in sentences
    assert sentences[-1] == "the master recorded the copy of clip.mp4 on keeper-4"
    assert not [sentence for sentence in sentences if "other" in sentence]


def test_the_story_of_all_begins_when_it_is_asked_to_and_is_in_order() -> None:
    world = stored()
    world.run(2.0)
    world.store("other.mp4")

    steps = looking(world).story(since_s=1.5).steps

    assert any("other.mp4" in step.sentence for step in steps)
    assert not [step for step in steps if "clip.mp4" in step.sentence]
    assert min(step.time_s for step in steps) >= 1.5
    assert told(looking(world))[0] == "the master started, with what its catalog remembers"


def test_lines_that_came_late_stand_at_their_time() -> None:
    """Nodes write their lines nearly, but not strictly, in order of time."""
    story = Story(["keeper-1"])
    story.at(2.0).commit("a.mp4", "v1", "keeper-1")
    story.now = 1.0
    story.dies("keeper-1")

    steps = Looking(story.source()).story().steps

    assert [step.time_s for step in steps] == sorted(step.time_s for step in steps)
    assert steps[1].sentence == "the master declared keeper-1 dead: it had missed its heartbeats"


def test_beats_and_scans_are_not_told() -> None:
    world = stored()
    world.run(30.0)

    assert told(looking(world), since_s=10.0) == []
    assert str(looking(world).story(since_s=10.0)) == "nothing happened"
    assert "nothing happened" in looking(world).story(since_s=10.0)._repr_html_()


def test_damage_to_another_file_is_none_of_a_files_story() -> None:
    story = Story(["keeper-1"])
    story.commit("a.mp4", "v1", "keeper-1")
    story.commit("b.mp4", "v2", "keeper-1")
    for name in ("a.mp4", "b.mp4"):
        story.note("lab", Kind.FAULT, peer="keeper-1", file_name=name, action="corrupt", how="bitflip")

    sentences = told(Looking(story.source()), "a.mp4")

    assert 'cluster.corrupt("a.mp4", "keeper-1", how="bitflip")' in sentences
    assert not [sentence for sentence in sentences if "b.mp4" in sentence]


def test_a_refused_incarnation_is_told() -> None:
    story = Story(["keeper-4"])
    story.note("keeper-4", Kind.REGISTRATION_LAPSED, peer="master", incarnation=1)

    (last,) = told(Looking(story.source()))[1:]

    assert last == "the master refused what keeper-4 said as its incarnation 1: it registers anew"
    assert Kind.REGISTRATION_LAPSED in NODES


def test_it_prints_its_times_in_a_column_and_its_html_is_escaped() -> None:
    story = Story(["keeper-1"])
    story.at(12.5).commit("<b>.mp4", "v1", "keeper-1")

    view = Looking(story.source()).story("<b>.mp4")

    assert str(view).splitlines()[0] == "   0.000 s  keeper-1 registered and reported what is on its disk"
    assert str(view).splitlines()[1].startswith("  12.500 s  the master committed <b>.mp4")
    assert "&lt;b&gt;.mp4" in view._repr_html_()
    assert "<b>.mp4" not in view._repr_html_()


def test_a_file_that_never_was_and_a_moment_that_has_not_come_are_refused() -> None:
    view = looking(stored())

    with pytest.raises(NoSuchFile):
        view.story("never.mp4")
    with pytest.raises(InvalidOption, match="since_s"):
        view.story(since_s=1e6)


def test_a_file_that_is_gone_still_has_its_story() -> None:
    world = stored()
    world.delete("clip.mp4")

    assert "clip.mp4 was deleted: its copies may go" in told(looking(world), "clip.mp4")
