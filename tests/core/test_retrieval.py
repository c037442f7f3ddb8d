"""A client's download as a whole: whom to ask, and when to give up."""

from __future__ import annotations

import pytest

from dfslab.core.errors import ChecksumMismatch, DfsError, DownloadFailed, KeeperUnreachable, NoSuchFile
from dfslab.core.model import Address, Holder, Location, Version
from dfslab.core.patience import Patience
from dfslab.core.retrieval import (
    MAX_TRIES,
    MAX_VERSIONS,
    NO_ANSWER,
    Action,
    Fail,
    Fetch,
    Finish,
    Locate,
    Located,
    LocateFailed,
    Retrieval,
    TryEnded,
    ends_a_holder,
)

V1, V2 = (Version(name, "a.mp4", 25, 10, b"", 0.0) for name in ("v1", "v2"))


def holders(*numbers: int) -> tuple[Holder, ...]:
    return tuple(Holder(f"keeper-{number}", Address("h", number)) for number in numbers)


def test_a_file_is_fetched_from_every_holder_and_is_done_when_whole() -> None:
    download = Retrieval("a.mp4")

    assert download.start() == Locate()
    assert download.handle(Located(Location(V1, holders(1, 2, 3)))) == Fetch(Location(V1, holders(1, 2, 3)))
    assert download.handle(TryEnded(True, {})) == Finish(V1)


def test_no_more_holders_are_asked_than_wanted() -> None:
    download = Retrieval("a.mp4", limit=2)

    assert download.handle(Located(Location(V1, holders(1, 2, 3)))) == Fetch(Location(V1, holders(1, 2)))


def test_when_every_holder_is_lost_others_are_asked_for() -> None:
    """FAULTS 11: reads go on."""
    download = Retrieval("a.mp4")
    download.handle(Located(Location(V1, holders(1, 2))))

    assert download.handle(TryEnded(False, {"keeper-1": "gone", "keeper-2": "bad"})) == Locate()
    assert download.handle(Located(Location(V1, holders(1, 2, 3)))) == Fetch(Location(V1, holders(3)))


def test_a_newer_version_is_fetched_from_holders_that_were_lost_for_the_old_one() -> None:
    """FAULTS 29: the old version or the new one."""
    download = Retrieval("a.mp4")
    download.handle(Located(Location(V1, holders(1))))
    download.handle(TryEnded(False, {"keeper-1": "it has no such version"}))

    assert download.handle(Located(Location(V2, holders(1)))) == Fetch(Location(V2, holders(1)))


def _overwritten(times: int) -> list[Action]:
    """Return what a download does whose file has a newer version at each of its tries."""
    download, actions = Retrieval("a.mp4"), list[Action]()
    for number in range(times):
        version = Version(f"v{number}", "a.mp4", 25, 10, b"", 0.0)
        download.handle(Located(Location(version, holders(1))))
        actions.append(download.handle(TryEnded(False, {"keeper-1": "it has no such version"})))
    return actions


def test_a_file_that_is_overwritten_at_every_try_is_read_in_the_end_or_given_up_at_some_time() -> None:
    """FAULTS 28, and guarantee 8: a name may be written faster than it is read, for a while."""
    assert _overwritten(MAX_VERSIONS - 1) == [Locate()] * (MAX_VERSIONS - 1)
    assert isinstance(_overwritten(MAX_VERSIONS)[-1], Fail)


def test_when_nobody_else_has_it_the_error_names_everybody_and_why() -> None:
    """FAULTS 12."""
    download = Retrieval("a.mp4")
    download.handle(Located(Location(V1, holders(1))))
    download.handle(TryEnded(False, {"keeper-1": "gone"}))

    action = download.handle(Located(Location(V1, holders(1))))

    assert isinstance(action, Fail)
    assert isinstance(action.error, DownloadFailed)
    assert action.error.fields["reasons"] == ["keeper-1: gone"]


def test_a_download_is_given_up_after_four_tries() -> None:
    """Guarantee 8: every call ends."""
    download = Retrieval("a.mp4")
    actions = []
    for number in range(MAX_TRIES):
        download.handle(Located(Location(V1, holders(number))))
        actions.append(download.handle(TryEnded(False, {f"keeper-{number}": "gone"})))

    assert actions[:-1] == [Locate()] * (MAX_TRIES - 1)
    assert isinstance(actions[-1], Fail)


def test_what_the_master_refuses_is_the_error() -> None:
    error = NoSuchFile(name="a.mp4")

    assert Retrieval("a.mp4").handle(LocateFailed(error)) == Fail(error)


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (KeeperUnreachable(keeper="keeper-1", reason="nobody listens there"), False),
        (KeeperUnreachable(keeper="keeper-1", reason=NO_ANSWER), True),
        (ChecksumMismatch(where="keeper-1", block=3), True),
    ],
)
def test_only_a_connection_that_broke_may_be_made_again(error: DfsError, ends: bool) -> None:
    assert ends_a_holder(error) is ends


def test_patience_is_counted_from_the_first_failure() -> None:
    patience = Patience(1.0, pause_s=0.1, longest_s=0.3)

    assert [patience.next_pause(now) for now in (5.0, 5.1, 5.5, 5.99, 6.0)] == [0.1, 0.2, 0.3, 0.3, None]
