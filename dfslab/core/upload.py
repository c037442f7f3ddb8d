"""A client's upload as a state machine: which slot to ask for, when to try again, when to give up."""

from __future__ import annotations

from dataclasses import dataclass

from dfslab.core.errors import DfsError, NoLiveKeepers, UploadFailed, UploadUnconfirmed
from dfslab.core.master.instructions import Slot, UploadState
from dfslab.core.model import Address, FileInfo

MAX_ATTEMPTS = 8
AWAIT_HOLD_S = 1.0


@dataclass(frozen=True, slots=True)
class SlotAnswered:
    """The master granted a slot (step 2)."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Sent:
    """The keeper stored every byte and the master recorded it."""


@dataclass(frozen=True, slots=True)
class SendFailed:
    """The keeper did not take the file whole."""

    error: DfsError


@dataclass(frozen=True, slots=True)
class StateAnswered:
    """The master told how the upload stands (step 6)."""

    state: UploadState


@dataclass(frozen=True, slots=True)
class MasterFailed:
    """The master gave no answer, or answered with an error."""

    error: DfsError
    transient: bool


Event = SlotAnswered | Sent | SendFailed | StateAnswered | MasterFailed


@dataclass(frozen=True, slots=True)
class AskSlot:
    """Ask the master for a slot (step 1), after `pause_s` seconds."""

    exclude: tuple[str, ...]
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Send:
    """Send the file to this keeper (step 3)."""

    version: str
    keeper: str
    address: Address
    cause: str
    ticket: bytes = b""


@dataclass(frozen=True, slots=True)
class AskState:
    """Ask the master for the acknowledgement, which it may hold for `hold_s`; first wait `pause_s`."""

    hold_s: float
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Finish:
    """The upload is acknowledged."""

    info: FileInfo


@dataclass(frozen=True, slots=True)
class Fail:
    """The upload has failed; raise this."""

    error: DfsError


Action = AskSlot | Send | AskState | Finish | Fail


class Upload:
    """One upload, from the first request to the acknowledgement or the error.

    Every request carries the same upload id, so any of them may be repeated without making a
    second file. A keeper that failed is excluded from the next slot. Where none is left, those
    that may have failed for want of a master (their failure was not definite) get one more chance,
    and are waited for as a master is.

    Parameters
    ----------
    name : str
    ack_replicas : int
        Copies to wait for; only for the words of the error.
    ack_timeout_s : float
        How long to wait for the acknowledgement once a keeper has the file.
    master_timeout_s : float
        How long to keep asking a master that does not answer.
    """

    def __init__(self, name: str, ack_replicas: int, *, ack_timeout_s: float, master_timeout_s: float) -> None:
        self.name = name
        self._ack_replicas = ack_replicas
        self._ack_timeout_s = ack_timeout_s
        self._master_timeout_s = master_timeout_s
        self._excluded: dict[str, DfsError] = {}
        self._forgiven: set[str] = set()
        self._reasons: list[str] = []
        self._attempts = 0
        self._keeper = ""
        self._sent_at: float | None = None
        self._may_be_stored = False
        self._silent_since: float | None = None
        self._copies = 0

    def start(self) -> Action:
        """Return the first action."""
        return AskSlot(())

    def handle(self, event: Event, now: float) -> Action:
        """Take one event at time `now` (seconds, monotonic) and return what to do next."""
        if isinstance(event, MasterFailed):
            return self._on_master_failed(event, now)
        self._silent_since = None
        if isinstance(event, SlotAnswered):
            return self._on_slot(event.slot)
        if isinstance(event, Sent):
            self._sent_at = now
            return AskState(AWAIT_HOLD_S)
        if isinstance(event, SendFailed):
            return self._on_send_failed(event.error, now)
        return self._on_state(event.state, now)

    def _on_slot(self, slot: Slot) -> Action:
        if slot.committed is not None:
            return AskState(AWAIT_HOLD_S)
        if slot.address is None:
            return Fail(UploadFailed(name=self.name, reasons=["the master granted a slot without an address"]))
        self._keeper = slot.keeper
        self._attempts += 1
        return Send(slot.version, slot.keeper, slot.address, slot.cause, slot.ticket)

    def _on_send_failed(self, error: DfsError, now: float) -> Action:
        self._may_be_stored = self._may_be_stored or not error.definite
        self._excluded[self._keeper] = error
        self._reasons.append(f"{self._keeper}: {error}")
        if self._attempts >= MAX_ATTEMPTS:
            return self._fail(UploadFailed(name=self.name, reasons=self._reasons), now)
        return AskSlot(tuple(self._excluded))

    def _on_state(self, state: UploadState, now: float) -> Action:
        if state.acknowledged is not None:
            return Finish(state.acknowledged)
        if not state.known:  # so it has forgotten every slot of it, and takes no record of them any more
            self._sent_at, self._may_be_stored = None, False
            self._attempts += 1
            if self._attempts >= MAX_ATTEMPTS:
                lost = UploadFailed(name=self.name, reasons=[*self._reasons, "the master lost the upload"])
                return self._fail(lost, now)
            return AskSlot(tuple(self._excluded))
        self._copies = max(self._copies, state.copies)
        self._sent_at = now if self._sent_at is None else self._sent_at
        waited_s = now - self._sent_at
        if waited_s >= self._ack_timeout_s:
            return Fail(self._unconfirmed(waited_s))
        return AskState(min(AWAIT_HOLD_S, self._ack_timeout_s - waited_s), pause_s=0.05)

    def _forgive(self) -> bool:
        """Take back into account, once each, the excluded keepers whose failure was not definite."""
        again = [keeper for keeper, why in self._excluded.items() if not why.definite and keeper not in self._forgiven]
        for keeper in again:
            self._forgiven.add(keeper)
            del self._excluded[keeper]
        return again != []

    def _awaits_keepers(self, error: DfsError) -> bool:
        """Whether the keepers may just not be back at a master that was restarted, as this upload lived through."""
        return isinstance(error, NoLiveKeepers) and self._may_be_stored

    def _on_master_failed(self, event: MasterFailed, now: float) -> Action:
        self._silent_since = now if self._silent_since is None else self._silent_since
        if isinstance(event.error, NoLiveKeepers) and self._forgive():
            return AskSlot(tuple(self._excluded), pause_s=0.1)
        passing = event.transient or self._awaits_keepers(event.error)
        if not passing or now - self._silent_since >= self._master_timeout_s:
            return self._fail(event.error, now)
        if self._sent_at is not None:
            return AskState(AWAIT_HOLD_S, pause_s=0.1)
        return AskSlot(tuple(self._excluded), pause_s=0.1)

    def _fail(self, error: DfsError, now: float) -> Action:
        """Give up: with the error, unless it would say that nothing was stored where that is not certain."""
        if self._sent_at is None and not self._may_be_stored:
            return Fail(error)
        began = next((at for at in (self._sent_at, self._silent_since) if at is not None), now)
        return Fail(self._unconfirmed(now - began, reason=str(error)))

    def _unconfirmed(self, waited_s: float, reason: str = "") -> UploadUnconfirmed:
        wanted, copies = self._ack_replicas, self._copies
        return UploadUnconfirmed(name=self.name, wanted=wanted, copies=copies, waited_s=waited_s, reason=reason)
