"""The master's tables are bounded: what would fill them is refused, and nothing has changed."""

from __future__ import annotations

import pytest

from dfslab.core.blocks import MAX_CHECKSUMS_BYTES
from dfslab.core.errors import InvalidOption, LimitReached
from dfslab.core.master import events, limits
from dfslab.core.model import StoredReplica
from dfslab.core.options import Options
from dfslab.core.tickets import READ_FLOOR_S, UPLOAD_START_S

from .worlds import Lab, Refused, lab, value_of


def begin(world: Lab, upload: str, *, client: str = "client", size: int = 25, exclude: tuple[str, ...] = ()) -> object:
    (said,) = world.ask(
        lambda request: events.BeginUpload(request, upload, f"{upload}.mp4", size, 1, client, exclude, "")
    )
    return said


def test_so_many_uploads_may_be_open_and_one_that_is_committed_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OPEN_UPLOADS", 3)
    world = lab(keepers=1, replicas=1)
    first = value_of(world.begin("a.mp4", upload="a"))
    begin(world, "b")
    begin(world, "c")

    assert begin(world, "d") == Refused(world.request, LimitReached)
    assert world.refusal().fields == {"node": "master", "what": "open uploads", "limit": 3}
    assert world.kinds() == []
    world.finish(first)
    assert not isinstance(begin(world, "d"), Refused)


def test_an_upload_that_nobody_goes_on_with_makes_room_when_it_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OPEN_UPLOADS", 1)
    world = lab(keepers=1, replicas=1)
    begin(world, "a")
    assert isinstance(begin(world, "b"), Refused)

    world.run(world.options.upload_memory_s + 60.0, step=600.0, silent=["keeper-1"])
    world.register("keeper-1", boot="again")

    assert not isinstance(begin(world, "b"), Refused)


def test_a_full_table_forgets_what_nobody_sends_any_more_and_nothing_that_may_still_arrive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client with the token can't hold the table for hours by beginning uploads: their slots have lapsed."""
    monkeypatch.setattr(limits, "MAX_OPEN_UPLOADS", 3)
    world = lab(keepers=1, replicas=1)
    begin(world, "a")
    begin(world, "large", size=100_000_000)  # may take another 1000 s
    slow = value_of(world.begin("slow.mp4", upload="slow"))
    world.run(UPLOAD_START_S + READ_FLOOR_S - 1.0, step=0.9)
    assert isinstance(begin(world, "b"), Refused)
    begin(world, "slow")

    world.run(world.now + 2.0, step=0.9)

    assert not isinstance(begin(world, "b"), Refused), "a made room"
    assert list(world.master._state.open_uploads) == ["large", "slow", "b"]
    world.finish(slow)
    assert world.master._state.uploads["slow"].committed == slow.version


def test_an_upload_that_was_forgotten_and_arrives_after_all_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OPEN_UPLOADS", 1)
    world = lab(keepers=1, replicas=1)
    late = value_of(world.begin("a.mp4", upload="a"))
    world.run(UPLOAD_START_S + READ_FLOOR_S + 1.0, step=0.9)
    assert not isinstance(begin(world, "b"), Refused)

    assert value_of(world.finish(late)).keep is False


def test_an_upload_that_somebody_waits_for_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OPEN_UPLOADS", 1)
    world = lab(keepers=1, replicas=1)
    begin(world, "a")
    world.run(UPLOAD_START_S + READ_FLOOR_S + 1.0, step=0.9)
    world.ask(lambda request: events.AwaitUpload(request, "a", 10.0))

    assert isinstance(begin(world, "b"), Refused)


def test_one_client_does_not_fill_the_table_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OPEN_PER_CLIENT", 2)
    world = lab(keepers=1)
    begin(world, "a")
    begin(world, "b")

    assert begin(world, "c") == Refused(world.request, LimitReached)
    assert not isinstance(begin(world, "d", client="another"), Refused)


def test_one_upload_gets_so_many_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ATTEMPTS", 2)
    world = lab(keepers=1)
    begin(world, "a")
    begin(world, "a")

    assert begin(world, "a") == Refused(world.request, LimitReached)


@pytest.mark.parametrize("size", [2**63, 2**64 - 1, MAX_CHECKSUMS_BYTES // 4 * Options().block_size + 1])
def test_a_file_whose_checksums_no_message_holds_is_refused_before_anything_is_made_for_it(size: int) -> None:
    """FAULTS 32: a 2^63 length."""
    world = lab(keepers=1)

    assert begin(world, "a", size=size) == Refused(world.request, InvalidOption)
    assert world.kinds() == []


@pytest.mark.parametrize("upload", ["", "x" * 129])
def test_an_upload_id_that_is_none_is_refused(upload: str) -> None:
    world = lab(keepers=1)

    assert begin(world, upload) == Refused(world.request, InvalidOption)


def test_too_many_excluded_keepers_are_refused() -> None:
    world = lab(keepers=1)

    assert begin(world, "a", exclude=("k",) * 1001) == Refused(world.request, InvalidOption)


def test_a_report_that_is_too_long_is_refused_and_nothing_of_it_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_REPORTED", 2)
    world = lab(keepers=1)
    holds = [StoredReplica(f"v{number}", 1, 1, "/x") for number in range(3)]

    assert world.register("keeper-1", *holds[:2], boot="new")[-1] != Refused(world.request, LimitReached)
    assert world.register("keeper-1", *holds, boot="newer") == [Refused(world.request, LimitReached)]
