"""A client's upload, step by step: slots, sends, failures, the acknowledgement, and when it gives up."""

from __future__ import annotations

import pytest

from dfslab.core.errors import (
    DfsError,
    KeeperUnreachable,
    MasterUnavailable,
    NoLiveKeepers,
    NotEnoughKeepers,
    UploadFailed,
    UploadUnconfirmed,
)
from dfslab.core.master.instructions import Slot, UploadState
from dfslab.core.model import Address, FileInfo
from dfslab.core.upload import (
    AWAIT_HOLD_S,
    MAX_ATTEMPTS,
    Action,
    AskSlot,
    AskState,
    Event,
    Fail,
    Finish,
    MasterFailed,
    Send,
    SendFailed,
    Sent,
    SlotAnswered,
    StateAnswered,
    Upload,
)

INFO = FileInfo("a.mp4", "v1", 25, ("keeper-1",), 0.0)
LOST = UploadState(known=False, copies=0, acknowledged=None)
ACKNOWLEDGED = UploadState(known=True, copies=1, acknowledged=INFO)
SILENT = MasterUnavailable(address="h:1", reason="no answer in time", definite=False)


def slot(number: int) -> SlotAnswered:
    return SlotAnswered(Slot(f"v{number}", f"keeper-{number}", Address("h", number), None, f"master.1:{number}"))


def send(number: int) -> Send:
    return Send(f"v{number}", f"keeper-{number}", Address("h", number), f"master.1:{number}")


def broke_off(number: int, *, definite: bool = True) -> SendFailed:
    reason = "connection reset"
    return SendFailed(KeeperUnreachable(keeper=f"keeper-{number}", reason=reason, definite=definite))


def pending(copies: int = 1) -> StateAnswered:
    return StateAnswered(UploadState(known=True, copies=copies, acknowledged=None))


def upload(ack_replicas: int = 2) -> Upload:
    return Upload("a.mp4", ack_replicas, ack_timeout_s=10.0, master_timeout_s=5.0)


def error_of(action: Action) -> DfsError:
    assert isinstance(action, Fail)
    return action.error


def test_an_upload_goes_through_its_steps() -> None:
    """DESIGN §2, steps 1 to 6, from the client's side."""
    u = upload()

    assert u.start() == AskSlot(())
    assert u.handle(slot(1), 0.1) == send(1)
    assert u.handle(Sent(), 1.0) == AskState(AWAIT_HOLD_S)
    assert u.handle(pending(), 2.0) == AskState(AWAIT_HOLD_S, pause_s=0.05)
    assert u.handle(StateAnswered(ACKNOWLEDGED), 2.5) == Finish(INFO)


def test_a_keeper_that_failed_is_excluded_from_every_later_slot() -> None:
    """FAULTS 1: the client goes on with another keeper."""
    u = upload()
    u.handle(slot(1), 0.0)

    assert u.handle(broke_off(1), 1.0) == AskSlot(("keeper-1",))
    assert u.handle(slot(2), 1.1) == send(2)
    assert u.handle(broke_off(2), 2.0) == AskSlot(("keeper-1", "keeper-2"))
    assert u.handle(slot(3), 2.1) == send(3)
    assert u.handle(Sent(), 3.0) == AskState(AWAIT_HOLD_S)


def test_after_too_many_keepers_the_upload_fails_and_names_each_of_them() -> None:
    """Guarantee 8: every call ends."""
    u = upload()
    for number in range(1, MAX_ATTEMPTS):
        u.handle(slot(number), float(number))
        assert isinstance(u.handle(broke_off(number), float(number)), AskSlot)
    u.handle(slot(MAX_ATTEMPTS), 9.0)

    error = error_of(u.handle(broke_off(MAX_ATTEMPTS), 9.0))

    assert isinstance(error, UploadFailed)
    assert error.definite
    assert [f"keeper-{number}" in str(error) for number in range(1, MAX_ATTEMPTS + 1)] == [True] * MAX_ATTEMPTS


def test_a_slot_that_says_committed_only_waits_for_the_acknowledgement() -> None:
    """FAULTS 6: the retry of what had succeeded sends nothing again."""
    u = upload()
    u.handle(slot(1), 0.0)
    u.handle(broke_off(1), 1.0)

    assert u.handle(SlotAnswered(Slot("v1", "", None, INFO, "")), 1.1) == AskState(AWAIT_HOLD_S)
    assert u.handle(StateAnswered(ACKNOWLEDGED), 1.2) == Finish(INFO)


def test_a_slot_without_an_address_is_a_failure_and_not_a_crash() -> None:
    error = error_of(upload().handle(SlotAnswered(Slot("v1", "keeper-1", None, None, "")), 0.0))

    assert isinstance(error, UploadFailed)


def test_an_upload_that_the_master_lost_is_begun_again() -> None:
    """FAULTS 5: it died before the record, so nothing counts; the same upload id is used again."""
    u = upload()
    u.handle(slot(1), 0.0)
    u.handle(Sent(), 1.0)

    assert u.handle(StateAnswered(LOST), 1.1) == AskSlot(())
    assert u.handle(slot(2), 1.2) == send(2)
    assert u.handle(Sent(), 2.0) == AskState(AWAIT_HOLD_S)
    assert u.handle(StateAnswered(ACKNOWLEDGED), 2.1) == Finish(INFO)


def test_an_upload_that_the_master_keeps_losing_fails() -> None:
    u = upload()
    action: Action = u.start()
    for _ in range(3 * MAX_ATTEMPTS):
        if isinstance(action, Fail):
            break
        u.handle(slot(1), 0.0)
        u.handle(Sent(), 0.0)
        action = u.handle(StateAnswered(LOST), 0.0)

    error = error_of(action)
    assert isinstance(error, UploadFailed)
    assert "the master lost the upload" in str(error)


def test_an_acknowledgement_that_does_not_come_in_time_leaves_it_open_what_happened() -> None:
    """Guarantee 8; the error says that it may be stored."""
    u = upload(ack_replicas=3)
    u.handle(slot(1), 0.0)
    u.handle(Sent(), 1.0)

    assert u.handle(pending(2), 10.5) == AskState(0.5, pause_s=0.05)
    error = error_of(u.handle(pending(1), 11.0))

    assert isinstance(error, UploadUnconfirmed)
    assert not error.definite
    assert error.fields == {"name": "a.mp4", "wanted": 3, "copies": 2, "waited_s": 10.0, "reason": ""}


def test_a_silent_master_is_asked_again_until_its_time_is_up() -> None:
    """Guarantee 8."""
    u = upload()

    assert u.handle(MasterFailed(SILENT, transient=True), 0.0) == AskSlot((), pause_s=0.1)
    assert u.handle(MasterFailed(SILENT, transient=True), 4.9) == AskSlot((), pause_s=0.1)
    assert error_of(u.handle(MasterFailed(SILENT, transient=True), 5.0)) is SILENT


def test_a_master_that_answers_in_between_gets_its_full_time_again() -> None:
    u = upload()
    u.handle(MasterFailed(SILENT, transient=True), 0.0)
    u.handle(slot(1), 4.0)
    u.handle(broke_off(1), 4.5)

    assert u.handle(MasterFailed(SILENT, transient=True), 6.0) == AskSlot(("keeper-1",), pause_s=0.1)
    assert u.handle(MasterFailed(SILENT, transient=True), 10.9) == AskSlot(("keeper-1",), pause_s=0.1)
    assert error_of(u.handle(MasterFailed(SILENT, transient=True), 11.0)) is SILENT


def test_a_master_that_falls_silent_after_the_file_was_sent_leaves_it_open_what_happened() -> None:
    """FAULTS 6: it may have recorded the file before it died."""
    u = upload()
    u.handle(slot(1), 0.0)
    u.handle(Sent(), 1.0)

    assert u.handle(MasterFailed(SILENT, transient=True), 2.0) == AskState(AWAIT_HOLD_S, pause_s=0.1)
    error = error_of(u.handle(MasterFailed(SILENT, transient=True), 7.0))

    assert isinstance(error, UploadUnconfirmed)
    assert error.fields["waited_s"] == 6.0


REFUSAL = MasterFailed(NoLiveKeepers(tried=["keeper-1"]), transient=False)


def test_a_refusal_of_the_master_is_final() -> None:
    u = upload()

    assert error_of(u.handle(REFUSAL, 0.2)) is REFUSAL.error


OTHER_REFUSAL = MasterFailed(NotEnoughKeepers(wanted=3, live=2), transient=False)


@pytest.mark.parametrize("outcome", [Sent(), broke_off(1, definite=False)])
def test_a_refusal_that_comes_when_the_file_may_be_stored_leaves_it_open_what_happened(outcome: Event) -> None:
    """Found by the simulator (seed 28): the refusal said "nothing was stored", and a keeper had it."""
    u = upload()
    u.handle(slot(1), 0.0)
    u.handle(outcome, 0.1)

    error = error_of(u.handle(OTHER_REFUSAL, 0.2))

    assert isinstance(error, UploadUnconfirmed)
    assert not error.definite
    assert str(OTHER_REFUSAL.error) in str(error)


def test_when_no_keeper_is_left_those_that_may_have_failed_for_want_of_a_master_are_tried_once_more() -> None:
    """FAULTS 5: each keeper's record met the master's end, and so all of them were excluded."""
    u = upload()
    u.handle(slot(1), 0.0)
    u.handle(broke_off(1, definite=False), 0.1)
    u.handle(slot(2), 0.2)
    u.handle(broke_off(2), 0.3)

    assert u.handle(REFUSAL, 0.4) == AskSlot(("keeper-2",), pause_s=0.1)
    assert u.handle(slot(1), 0.5) == send(1)
    assert u.handle(broke_off(1, definite=False), 0.6) == AskSlot(("keeper-2", "keeper-1"))


def test_the_keepers_of_a_restarted_master_are_waited_for_until_its_time_is_up() -> None:
    """FAULTS 5 and guarantee 8: they register one by one, and the upload may be stored already."""
    u = upload()
    u.handle(slot(1), 0.0)
    u.handle(broke_off(1, definite=False), 0.1)
    u.handle(REFUSAL, 1.0)

    assert u.handle(REFUSAL, 1.1) == AskSlot((), pause_s=0.1)
    assert u.handle(REFUSAL, 5.9) == AskSlot((), pause_s=0.1)
    assert isinstance(error_of(u.handle(REFUSAL, 6.0)), UploadUnconfirmed)


def test_when_one_of_the_attempts_may_be_stored_giving_up_leaves_it_open_what_happened() -> None:
    u = upload()
    u.handle(slot(1), 0.0)
    u.handle(broke_off(1, definite=False), 0.1)
    for number in range(2, MAX_ATTEMPTS):
        u.handle(slot(number), 0.0)
        u.handle(broke_off(number), 0.1)
    u.handle(slot(MAX_ATTEMPTS), 0.0)

    assert isinstance(error_of(u.handle(broke_off(MAX_ATTEMPTS), 9.0)), UploadUnconfirmed)


def test_a_master_that_has_lost_the_upload_proves_that_nothing_is_stored() -> None:
    u = upload()
    u.handle(slot(1), 0.0)
    u.handle(Sent(), 0.1)
    u.handle(StateAnswered(LOST), 0.2)

    assert error_of(u.handle(REFUSAL, 0.3)) is REFUSAL.error
