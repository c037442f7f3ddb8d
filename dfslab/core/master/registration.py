"""Keepers come, speak and fall silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dfslab.core.blocks import digest
from dfslab.core.errors import (
    InvalidOption,
    KeeperFenced,
    NotEnoughKeepers,
    PolicyFailed,
    StaleIncarnation,
    WrongCluster,
    WrongState,
)
from dfslab.core.liveness import Liveness, Sign
from dfslab.core.lookup import Replica, ReplicaState
from dfslab.core.master import copies, limits, repair, replicas
from dfslab.core.master.events import Decommission, Heartbeat, Register
from dfslab.core.master.instructions import PutKeeper, PutReplica, Registered
from dfslab.core.master.state import Effects, Keeper, MasterState
from dfslab.core.model import StoredReplica
from dfslab.core.policies import consult
from dfslab.core.trace import Kind

_MAX_SUPERSEDED = 64
_MAX_INCARNATION = 1 << 53
_MAX_BOOT = 64


def on_register(state: MasterState, event: Register, now: float, out: Effects) -> None:
    """Give the keeper a new incarnation, then believe exactly what its report shows."""
    limits.check_report(event)
    _check_claims(state, event)
    keeper = state.keepers.get(event.keeper)
    if keeper is None:
        keeper = Keeper(event.keeper, Liveness.UNSEEN)
        state.add_keeper(keeper)
    if keeper.liveness is Liveness.DECOMMISSIONED:
        advice = "add_keeper() makes a new one under a new name"
        raise WrongState(node=keeper.id, state="decommissioned", advice=advice)
    if event.boot in keeper.superseded:
        raise KeeperFenced(keeper=keeper.id)
    if event.boot == keeper.boot and 0 < event.sequence <= keeper.sequence:
        raise StaleIncarnation(keeper=keeper.id, incarnation=keeper.incarnation)
    if keeper.boot and keeper.boot != event.boot:
        keeper.found = dict.fromkeys(stored.version for stored in event.report)
    _supersede(keeper, event.boot)
    state.turned_away = {key: None for key in state.turned_away if key[0] != keeper.id}
    keeper.sequence = event.sequence
    state.learn(keeper, Sign.REGISTERED)
    was_known = keeper.incarnation > 0
    keeper.incarnation = max(keeper.incarnation, event.incarnation) + 1
    keeper.address, keeper.data_address = event.address, event.data_address
    keeper.directory, keeper.free_bytes = event.directory, event.free_bytes
    state.load_changed(keeper.id)
    _heard(state, keeper, now, out)
    out.record(PutKeeper(keeper.id, keeper.incarnation))
    cause = _note_registered(keeper, out)
    copies.abandon_for_keeper(state, keeper.id, now, out, reason=f"{keeper.id} started again")
    _believe_report(state, keeper, event.report, now, out, cause, was_known=was_known)
    out.reply(event.request, Registered(keeper.incarnation, state.cluster, state.signing.clock(now)))
    state.replan = True


def _check_claims(state: MasterState, event: Register) -> None:
    """Refuse a keeper of another cluster: what this catalog does not know of its disk, the other one does."""
    if event.cluster and state.cluster and event.cluster != state.cluster:
        raise WrongCluster(keeper=event.keeper, theirs=event.cluster, ours=state.cluster)
    if len(event.boot) > _MAX_BOOT:
        raise InvalidOption(option="boot", value=event.boot[:80], reason="tickets carry it, so it must be short")
    if not 0 <= event.incarnation < _MAX_INCARNATION:
        raise InvalidOption(option="incarnation", value=str(event.incarnation), reason="nobody registers that often")


def _heard(state: MasterState, keeper: Keeper, now: float, out: Effects) -> None:
    keeper.last_heard = now
    detector = state.policies.failure_detector
    _tell_detector(state, out, lambda: detector.heard(keeper.id, now))


def _forget_in_detector(state: MasterState, keeper_id: str, out: Effects) -> None:
    _tell_detector(state, out, lambda: state.policies.failure_detector.forget(keeper_id))


def _tell_detector(state: MasterState, out: Effects, tell: Callable[[], None]) -> None:
    try:
        consult("failure_detector", tell)
    except PolicyFailed as error:
        state.policy_failed(error, out)


def _supersede(keeper: Keeper, boot: str) -> None:
    if keeper.boot and keeper.boot != boot:
        keeper.superseded[keeper.boot] = None
        while len(keeper.superseded) > _MAX_SUPERSEDED:
            del keeper.superseded[next(iter(keeper.superseded))]
    keeper.boot = boot


def note_heard_before(state: MasterState, keeper: Keeper, out: Effects) -> None:
    """Have the detector and the trace know of a registered keeper that was taken over from an earlier core."""
    _heard(state, keeper, keeper.last_heard or 0.0, out)
    _note_registered(keeper, out)


def _note_registered(keeper: Keeper, out: Effects) -> str:
    return out.note(
        Kind.KEEPER_REGISTERED,
        peer=keeper.id,
        state=str(keeper.liveness),
        incarnation=keeper.incarnation,
        address=str(keeper.address),
        data_address=str(keeper.data_address),
        directory=keeper.directory,
        free_bytes=keeper.free_bytes,
    )


def _believe_report(
    state: MasterState,
    keeper: Keeper,
    report: tuple[StoredReplica, ...],
    now: float,
    out: Effects,
    cause: str,
    *,
    was_known: bool,
) -> None:
    reported = {stored.version: stored for stored in report}
    before = state.table.held_by(keeper.id)
    for version_id in before:
        if version_id not in reported:
            replicas.forget(state, version_id, keeper.id, out, cause)
    state.orphans = {key: since for key, since in state.orphans.items() if key[0] != keeper.id}
    for stored in report:
        if stored.version in state.table.versions:
            _believe_replica(state, keeper, stored, now, out, cause)
        else:
            _note_orphan(state, keeper, stored, now, out, cause, was_known=was_known)
    for version_id in dict.fromkeys([*before, *reported]):
        repair.reassess(state, version_id, now, cause)


def _note_orphan(
    state: MasterState, keeper: Keeper, stored: StoredReplica, now: float, out: Effects, cause: str, *, was_known: bool
) -> None:
    """Remember what is to be deleted, unless the catalog may be the one that is wrong.

    It may be when the keeper was never seen before (it may belong to another catalog), and when it was
    restored from a backup, which knows nothing of what was acknowledged since.
    """
    kept = state.restored or not was_known
    if not kept:
        state.orphans[keeper.id, stored.version] = now
    out.note(Kind.ORPHAN_FOUND, peer=keeper.id, cause=cause, orphan=stored.version, kept=kept)


def _believe_replica(
    state: MasterState, keeper: Keeper, stored: StoredReplica, now: float, out: Effects, cause: str
) -> None:
    version = state.table.versions[stored.version]
    known = state.table.replica(version.id, keeper.id)
    if version.deleted:
        if known is None:
            state.put_replica(version.id, Replica(keeper.id, stored.path, ReplicaState.DROPPING))
            out.record(PutReplica(version.id, keeper.id, stored.path))
        replicas.order_drop(state, version, keeper.id, out, cause, reason="deleted")
    elif stored.size != version.size or stored.digest != digest(version.checksums):
        if known is None or known.path != stored.path:
            replicas.put(state, version, keeper.id, stored.path, out, cause)
        replicas.mark_corrupt(
            state, version, keeper.id, out, cause, reason="its size or checksums are not the version's"
        )
    elif known is None:
        replicas.put(state, version, keeper.id, stored.path, out, cause)
    elif known.path != stored.path or known.state is ReplicaState.DROPPING:
        replicas.put_back(state, version, known, stored.path, out, cause)


def on_heartbeat(state: MasterState, event: Heartbeat, now: float, out: Effects) -> None:
    """Note a sign of life, unless it comes under a registration that has lapsed."""
    keeper = state.keepers.get(event.keeper)
    if keeper is None or not keeper.serves or keeper.incarnation != event.incarnation:
        raise StaleIncarnation(keeper=event.keeper, incarnation=event.incarnation)
    state.learn(keeper, Sign.HEARTBEAT)
    if keeper.free_bytes != event.free_bytes:
        keeper.free_bytes = event.free_bytes
        state.load_changed(keeper.id)
    _heard(state, keeper, now, out)
    out.note(Kind.HEARTBEAT, peer=keeper.id, incarnation=event.incarnation, free_bytes=event.free_bytes)
    out.reply(event.request, state.signing.clock(now))


def declare_the_dead(state: MasterState, now: float, out: Effects) -> None:
    """Bury the keepers that the failure detector has given up; a detector that fails buries nobody."""
    detector = state.policies.failure_detector
    serving = state.serving()
    try:
        overdue = consult("failure_detector", lambda: [one for one in serving if detector.is_overdue(one.id, now)])
    except PolicyFailed as error:
        state.policy_failed(error, out)
        return
    for keeper in overdue:
        _bury(state, keeper, now, out)


def _bury(state: MasterState, keeper: Keeper, now: float, out: Effects, cause: str = "") -> None:
    state.learn(keeper, Sign.OVERDUE)
    _forget_in_detector(state, keeper.id, out)
    cause = out.note(Kind.KEEPER_DEAD, peer=keeper.id, cause=cause, incarnation=keeper.incarnation)
    copies.abandon_for_keeper(state, keeper.id, now, out, reason=f"{keeper.id} died")
    for version_id in state.table.held_by(keeper.id):
        repair.reassess(state, version_id, now, cause)


def on_decommission(state: MasterState, event: Decommission, now: float, out: Effects) -> None:
    """Start draining a keeper, if the others can hold every file without it."""
    keeper = state.keeper(event.keeper)
    if not keeper.serves:
        advice = "only a live keeper can be decommissioned"
        raise WrongState(node=keeper.id, state=keeper.liveness, advice=advice)
    others = sum(1 for other in state.alive() if other.id != keeper.id)
    if others < state.options.replicas:
        raise NotEnoughKeepers(wanted=state.options.replicas, live=others)
    state.learn(keeper, Sign.LEAVING)
    cause = out.note(Kind.KEEPER_DRAINING, peer=keeper.id)
    for version_id in state.table.held_by(keeper.id):
        repair.reassess(state, version_id, now, cause)
    out.reply(event.request, None)


def release_the_drained(state: MasterState, now: float, out: Effects) -> None:
    """Let go of every draining keeper whose files are all at their goal without it."""
    for keeper in state.keepers.values():
        if keeper.liveness is Liveness.DRAINING and _is_drained(state, keeper):
            state.learn(keeper, Sign.DRAINED)
            _forget_in_detector(state, keeper.id, out)
            out.record(PutKeeper(keeper.id, keeper.incarnation, decommissioned=True))
            cause = out.note(Kind.KEEPER_DECOMMISSIONED, peer=keeper.id)
            for version_id in state.table.held_by(keeper.id):
                replicas.forget(state, version_id, keeper.id, out, cause)
                repair.reassess(state, version_id, now)


def _is_drained(state: MasterState, keeper: Keeper) -> bool:
    if keeper.copies_in or keeper.copies_out:
        return False
    return state.short.keys().isdisjoint(state.table.versions_on(keeper.id))


def leave_safe_mode(state: MasterState, now: float, out: Effects) -> None:
    """End safe mode once every keeper of the catalog has reported, or has had its time to."""
    if state.safe_until is None:
        return
    unseen = [keeper for keeper in state.keepers.values() if keeper.liveness is Liveness.UNSEEN]
    if unseen and now < state.safe_until:
        return
    state.safe_until = None
    state.replan = True
    cause = out.note(Kind.SAFE_MODE_ENDED, unseen=[keeper.id for keeper in unseen])
    for keeper in unseen:
        _bury(state, keeper, now, out, cause)


def restored_keeper(record: PutKeeper) -> Keeper:
    """Return a keeper as the catalog remembers it: not yet heard, or gone for good."""
    keeper = Keeper(record.keeper, Liveness.UNSEEN, record.incarnation)
    if record.decommissioned:
        return replace(keeper, liveness=Liveness.DECOMMISSIONED)
    return keeper
