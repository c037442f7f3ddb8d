"""Whatever happens, in whatever order: nothing acknowledged is forgotten, no last copy dropped, and all heals.

Hypothesis drives one master and six make-believe keepers. A keeper is a dict of the versions on its
disk; it does what the master tells it, or fails, or loses the order or the answer; it dies, falls
silent, comes back with the same, an old or a wiped disk, and its replicas rot. The master restarts
from what its catalog recorded. After every step the world checks what must always hold.

Two things are assumed of the keepers. Rot that a reader found is found again when the keeper next
registers with a restarted master, before the calm period is over (the catalog does not keep it).
And what a keeper stored it goes on telling until it is answered, or has dropped it, or dies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dfslab.core.errors import KeeperFenced, StaleIncarnation, WrongState
from dfslab.core.liveness import Liveness
from dfslab.core.master import events
from dfslab.core.master.instructions import (
    CopyReplica,
    DropReplica,
    Instruction,
    Note,
    Recorded,
    Refuse,
    Registered,
    Reply,
    Slot,
    UploadState,
)
from dfslab.core.master.uploads import REMEMBERED_S
from dfslab.core.model import Address, StoredReplica, Version
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.core.trace import Kind

from .worlds import BLOCK, GB, UNIX_S, Lab, checksums_of, path_of

KEEPERS = tuple(f"keeper-{number}" for number in range(1, 7))
NAMES = ("a", "b", "course/c")
SIZE = 25
T = TypeVar("T")
REPLICAS = 3


@dataclass
class Blob:
    """One replica's bytes."""

    content: str
    rotten: bool = False


@dataclass
class FakeKeeper:
    """A keeper's process and disk. `unsaid` is what it stored and has not been answered for."""

    name: str
    up: bool = False
    muted: bool = False
    boots: int = 0
    incarnation: int = 0
    disk: dict[str, Blob] = field(default_factory=dict)
    backup: dict[str, Blob] = field(default_factory=dict)
    inbox: list[CopyReplica | DropReplica] = field(default_factory=list)
    unsaid: list[tuple[str, str]] = field(default_factory=list)

    def report(self) -> tuple[StoredReplica, ...]:
        """What a look at the disk finds: rot is not seen, the checksums beside the bytes are whole."""
        return tuple(
            StoredReplica(version, SIZE, _digest(blob.content), path_of(self.name, version))
            for version, blob in self.disk.items()
        )


def _digest(content: str) -> int:
    from dfslab.core.blocks import digest

    return digest(checksums_of(content, SIZE))


@dataclass
class Uploading:
    """A client's upload, from its first slot to its acknowledgement."""

    id: str
    name: str
    ack_replicas: int
    content: str
    slots: list[Slot] = field(default_factory=list)
    version: str = ""


class World(RuleBasedStateMachine):
    """The rules are what may happen; the invariants what must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab()
        self.keepers: dict[str, FakeKeeper] = {}
        self.current: dict[str, str] = {}
        self.content: dict[str, str] = {}
        self.uploads: dict[str, Uploading] = {}
        self.waiting: dict[int, Uploading] = {}
        self.acknowledged: set[str] = set()
        self.sent: set[str] = set()
        self.serial = 0
        self.restarted_at = 0

    @initialize(repair=st.sampled_from(["eager", "scan"]), bound=st.sampled_from([1, 4]), seed=st.integers(0, 3))
    def start(self, repair: str, bound: int, seed: int) -> None:
        options = Options(repair=repair, copies_per_keeper=bound, orphan_grace_s=20.0)  # type: ignore[arg-type]
        self.lab = Lab(options, Policies.of(), seed)
        for name in KEEPERS:
            self.keepers[name] = FakeKeeper(name)
            self.boot(self.keepers[name])

    # -- messages ---------------------------------------------------------------------------------

    def ask(self, make: Callable[[int], events.Event]) -> Reply | Refuse:
        """Send a request and carry out what the master wants; return the request's answer."""
        self.lab.ask(make)
        request = self.lab.request
        self.carry_out(self.lab.todo)
        (answer,) = [one for one in self.lab.todo if isinstance(one, Reply | Refuse) and one.request == request]
        return answer

    def tick(self, at: float) -> None:
        self.lab.tick(at)
        self.carry_out(self.lab.todo)

    def carry_out(self, todo: list[Instruction]) -> None:
        for one in todo:
            if isinstance(one, DropReplica):
                self.check_drop(one)
                self.keepers[one.keeper].inbox.append(one)
            elif isinstance(one, CopyReplica):
                self.keepers[one.target].inbox.append(one)
            elif isinstance(one, Reply) and isinstance(one.value, UploadState) and one.request in self.waiting:
                self.check_acknowledgement(self.waiting.pop(one.request), one.value)
            elif isinstance(one, Note) and one.event.kind is Kind.KEEPER_DECOMMISSIONED:
                self.check_release(one.event.peer)

    def good_copies(self, version: str, *, without: str = "") -> list[str]:
        """Keepers, dead or alive, on whose disk whole bytes of a version are, and which no order will delete."""
        return [
            keeper.name
            for keeper in self.keepers.values()
            if keeper.name != without
            and version in keeper.disk
            and not keeper.disk[version].rotten
            and self.lab.liveness(keeper.name) is not Liveness.DECOMMISSIONED
            and not (keeper.up and any(self.is_valid_drop(keeper, order, version) for order in keeper.inbox))
        ]

    def is_valid_drop(self, keeper: FakeKeeper, order: CopyReplica | DropReplica, version: str) -> bool:
        return isinstance(order, DropReplica) and (order.version, order.incarnation) == (version, keeper.incarnation)

    def is_current(self, version: str) -> bool:
        known = self.lab.catalog.versions.get(version)
        return known is not None and not known.deleted

    # -- what must never happen -------------------------------------------------------------------

    def check_drop(self, drop: DropReplica) -> None:
        """Guarantee 4: the last good copy of a file is never deleted."""
        if self.is_current(drop.version):
            blob = self.keepers[drop.keeper].disk.get(drop.version)
            if blob is not None and not blob.rotten:
                assert self.good_copies(drop.version, without=drop.keeper), f"{drop} orders the last good copy away"

    def check_release(self, keeper: str) -> None:
        """Guarantee 4: nor is it let go with a keeper that is decommissioned."""
        for version, blob in self.keepers[keeper].disk.items():
            if self.is_current(version) and not blob.rotten:
                assert self.good_copies(version, without=keeper), (
                    f"{keeper} leaves with the last good copy of {version}"
                )

    def check_acknowledgement(self, upload: Uploading, state: UploadState) -> None:
        """Guarantee 1: an acknowledged upload is on as many keepers' disks as was asked for."""
        if state.acknowledged is None:
            return
        version = state.acknowledged.version
        assert upload.version in ("", version), "an upload becomes one version"
        if self.is_current(version) and version not in self.acknowledged:
            assert len(self.good_copies(version)) >= upload.ack_replicas
        self.acknowledged.add(version)

    @invariant()
    def every_file_is_known_with_its_right_version(self) -> None:
        """Guarantees 3 and 5: also over restarts; the catalog, the table and the world agree."""
        assert {info.name: info.version for info in self.lab.master.files()} == self.current
        kept = {version.name: version.id for version in self.lab.catalog.versions.values() if not version.deleted}
        assert kept == self.current

    # -- keepers ----------------------------------------------------------------------------------

    def boot(self, keeper: FakeKeeper) -> None:
        keeper.boots += 1
        keeper.up, keeper.muted = True, False
        keeper.unsaid.clear()
        self.register(keeper)

    def register(self, keeper: FakeKeeper) -> None:
        number = KEEPERS.index(keeper.name)
        answer = self.ask(
            lambda request: events.Register(
                request,
                keeper.name,
                f"{keeper.name}/{keeper.boots}",
                Address("h", 5000 + number),
                Address("h", 6000 + number),
                f"/disks/{keeper.name}",
                GB,
                keeper.report(),
            )
        )
        if isinstance(answer, Refuse):
            assert isinstance(answer.error, WrongState | KeeperFenced)
            keeper.up = False
            return
        assert isinstance(answer.value, Registered)
        keeper.incarnation = answer.value.incarnation
        for version, blob in list(keeper.disk.items()):
            if blob.rotten:
                self.report_bad(keeper, version)

    def beat(self, keeper: FakeKeeper) -> None:
        answer = self.ask(lambda request: events.Heartbeat(request, keeper.name, keeper.incarnation, GB))
        if isinstance(answer, Refuse):
            assert isinstance(answer.error, StaleIncarnation)
            self.register(keeper)

    def report_bad(self, keeper: FakeKeeper, version: str) -> None:
        self.ask(lambda request: events.BadReplica(request, keeper.name, version, "block 0", "reader"))

    def tell(self, keeper: FakeKeeper, version: str, copy_id: str) -> None:
        """Step 4, until it is answered."""
        content = keeper.disk[version].content if version in keeper.disk else self.content[version]
        known = version in self.lab.catalog.versions
        answer = self.ask(
            lambda request: events.ReplicaStored(
                request,
                keeper.name,
                keeper.incarnation,
                version,
                SIZE,
                BLOCK,
                checksums_of(content, SIZE),
                path_of(keeper.name, version),
                UNIX_S,
                copy_id,
            )
        )
        if isinstance(answer, Refuse):
            assert isinstance(answer.error, StaleIncarnation)
            return
        keeper.unsaid.remove((version, copy_id))
        assert isinstance(answer.value, Recorded)
        if not answer.value.keep:
            keeper.disk.pop(version, None)
        elif not known:
            self.note_commit(version)

    def note_commit(self, version: str) -> None:
        (upload,) = [one for one in self.uploads.values() if any(slot.version == version for slot in one.slots)]
        assert upload.version == "", "one upload makes one file"
        upload.version = version
        self.current[upload.name] = version

    def some(self, data: st.DataObject, many: Iterable[T]) -> T:
        """Let Hypothesis choose one of `many`."""
        choices = list(many)
        return choices[data.draw(st.integers(0, len(choices) - 1))]

    def standing(self) -> list[FakeKeeper]:
        return [keeper for keeper in self.keepers.values() if keeper.up]

    def lying(self) -> list[FakeKeeper]:
        return [
            keeper
            for keeper in self.keepers.values()
            if not keeper.up and self.lab.liveness(keeper.name) is not Liveness.DECOMMISSIONED
        ]

    @precondition(lambda self: self.standing())
    @rule(data=st.data())
    def a_keeper_is_killed(self, data: st.DataObject) -> None:
        keeper = self.some(data, self.standing())
        keeper.up = False
        keeper.unsaid.clear()

    @precondition(lambda self: self.lying())
    @rule(data=st.data(), disk=st.sampled_from(["same", "old", "wiped"]))
    def a_keeper_returns(self, data: st.DataObject, disk: str) -> None:
        keeper = self.some(data, self.lying())
        if disk == "old":
            rotten = {version for version, blob in keeper.disk.items() if blob.rotten}
            keeper.disk = {version: Blob(blob.content, version in rotten) for version, blob in keeper.backup.items()}
        elif disk == "wiped":
            keeper.disk = {}
        self.boot(keeper)

    @precondition(lambda self: self.current)
    @rule()
    def every_disk_is_backed_up(self) -> None:
        for keeper in self.keepers.values():
            keeper.backup = dict(keeper.disk)

    @precondition(lambda self: self.standing())
    @rule(data=st.data())
    def a_keepers_link_to_the_master_is_cut_or_healed(self, data: st.DataObject) -> None:
        keeper = self.some(data, self.standing())
        keeper.muted = not keeper.muted

    def sound(self) -> list[tuple[FakeKeeper, str]]:
        return [
            (keeper, version)
            for keeper in self.standing()
            for version, blob in keeper.disk.items()
            if not blob.rotten and self.is_listed(version, keeper.name)
        ]

    def is_listed(self, version: str, keeper: str) -> bool:
        """Readers find only what the master lists."""
        return (version, keeper) in {(one.id, replica.keeper) for one, replica, _ in self.lab.master.rows()}

    @precondition(lambda self: self.sound())
    @rule(data=st.data())
    def a_replica_rots_and_a_reader_finds_it(self, data: st.DataObject) -> None:
        keeper, version = self.some(data, self.sound())
        keeper.disk[version].rotten = True
        self.report_bad(keeper, version)

    def ordered(self) -> list[tuple[FakeKeeper, CopyReplica | DropReplica]]:
        return [(keeper, order) for keeper in self.keepers.values() for order in keeper.inbox]

    @precondition(lambda self: self.ordered())
    @rule(data=st.data(), fate=st.sampled_from(["done", "unanswered", "failed", "source failed", "lost"]))
    def an_order_reaches_its_keeper(self, data: st.DataObject, fate: str) -> None:
        keeper, order = self.some(data, self.ordered())
        keeper.inbox.remove(order)
        if fate != "lost":
            self.obey(keeper, order, fate)

    @precondition(lambda self: self.ordered())
    @rule()
    def every_order_is_obeyed(self) -> None:
        for keeper, order in self.ordered():
            keeper.inbox.remove(order)
            self.obey(keeper, order, "done")

    def obey(self, keeper: FakeKeeper, order: CopyReplica | DropReplica, fate: str) -> None:
        incarnation = order.target_incarnation if isinstance(order, CopyReplica) else order.incarnation
        fresh = keeper.up and incarnation == keeper.incarnation
        if isinstance(order, CopyReplica):
            self.copy(keeper, order, fate if fresh else "failed")
        elif fresh:
            keeper.disk.pop(order.version, None)
            keeper.unsaid = [(version, copy_id) for version, copy_id in keeper.unsaid if version != order.version]
            if fate != "unanswered":
                self.ask(lambda request: events.ReplicaDropped(request, keeper.name, incarnation, order.version))

    def copy(self, target: FakeKeeper, order: CopyReplica, fate: str) -> None:
        source, version = self.keepers[order.source], order.version
        blob = source.disk.get(version.id)
        if fate in ("done", "unanswered") and source.up and blob is not None and not blob.rotten:
            target.disk[version.id] = Blob(blob.content)
            target.unsaid.append((version.id, order.copy_id))
            if fate == "done" and not target.muted:
                self.tell(target, version.id, order.copy_id)
        else:
            at_fault = fate != "failed"
            self.ask(lambda request: events.CopyFailed(request, target.name, order.copy_id, "it broke off", at_fault))

    def speakers(self) -> list[FakeKeeper]:
        return [keeper for keeper in self.standing() if not keeper.muted and keeper.unsaid]

    @precondition(lambda self: self.speakers())
    @rule(data=st.data())
    def a_keeper_tells_what_it_stored(self, data: st.DataObject) -> None:
        keeper = self.some(data, self.speakers())
        self.tell(keeper, *self.some(data, keeper.unsaid))

    # -- clients ----------------------------------------------------------------------------------

    def begin(self, name: str, ack_replicas: int) -> Uploading:
        self.serial += 1
        upload = Uploading(f"up-{self.serial}", name, ack_replicas, f"content {self.serial}")
        self.uploads[upload.id] = upload
        self.ask_for_slot(upload)
        return upload

    @rule(name=st.sampled_from(NAMES), ack_replicas=st.integers(1, 3), waits=st.booleans())
    def a_client_begins_an_upload(self, name: str, ack_replicas: int, waits: bool) -> None:
        upload = self.begin(name, ack_replicas)
        if waits:
            self.wait_for(upload)

    @rule(name=st.sampled_from(NAMES), ack_replicas=st.integers(1, 3))
    def a_client_uploads_a_file(self, name: str, ack_replicas: int) -> None:
        upload = self.begin(name, ack_replicas)
        self.wait_for(upload)
        for slot in upload.slots:
            if self.keepers[slot.keeper].up:
                self.send(upload, slot, told=True)

    @precondition(lambda self: any(upload.slots for upload in self.uploads.values()))
    @rule(data=st.data())
    def a_client_tries_another_keeper(self, data: st.DataObject) -> None:
        self.ask_for_slot(self.some(data, [upload for upload in self.uploads.values() if upload.slots]))

    def ask_for_slot(self, upload: Uploading) -> None:
        tried = tuple(slot.keeper for slot in upload.slots[-2:])
        answer = self.ask(
            lambda request: events.BeginUpload(
                request, upload.id, upload.name, SIZE, upload.ack_replicas, "client", tried
            )
        )
        if isinstance(answer, Refuse):
            return
        assert isinstance(answer.value, Slot)
        if answer.value.committed is not None:
            assert answer.value.version == upload.version, "FAULTS 6: the retry returns the same version"
        else:
            assert upload.version == ""
            assert answer.value.version not in self.content, "an id is never used twice"
            upload.slots.append(answer.value)
            self.content[answer.value.version] = upload.content

    def granted(self) -> list[tuple[Uploading, Slot]]:
        return [
            (upload, slot)
            for upload in self.uploads.values()
            for slot in upload.slots
            if self.keepers[slot.keeper].up and slot.version not in self.sent
        ]

    @precondition(lambda self: self.granted())
    @rule(data=st.data(), told=st.booleans())
    def a_client_sends_its_file(self, data: st.DataObject, told: bool) -> None:
        self.send(*self.some(data, self.granted()), told=told)

    def send(self, upload: Uploading, slot: Slot, *, told: bool) -> None:
        keeper = self.keepers[slot.keeper]
        self.sent.add(slot.version)
        keeper.disk[slot.version] = Blob(upload.content)
        keeper.unsaid.append((slot.version, ""))
        if told and not keeper.muted:
            self.tell(keeper, slot.version, "")

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def a_client_waits_for_its_acknowledgement(self, data: st.DataObject) -> None:
        self.wait_for(self.some(data, self.uploads.values()))

    def wait_for(self, upload: Uploading) -> None:
        self.waiting[self.lab.request + 1] = upload
        self.lab.ask(lambda request: events.AwaitUpload(request, upload.id, 1.0))
        self.carry_out(self.lab.todo)

    @precondition(lambda self: self.current)
    @rule(name=st.sampled_from(NAMES))
    def a_file_is_deleted(self, name: str) -> None:
        answer = self.ask(lambda request: events.Delete(request, name))
        assert isinstance(answer, Reply) == (name in self.current)
        self.current.pop(name, None)

    @precondition(lambda self: self.current)
    @rule(old=st.sampled_from(NAMES), new=st.sampled_from(NAMES))
    def a_file_is_renamed(self, old: str, new: str) -> None:
        answer = self.ask(lambda request: events.Rename(request, old, new))
        assert isinstance(answer, Reply) == (old in self.current and new not in self.current)
        if isinstance(answer, Reply):
            self.current[new] = self.current.pop(old)

    # -- time, operators and the master itself ----------------------------------------------------

    @rule(seconds=st.sampled_from([0.2, 1.0, 2.0, 5.0, 12.0]))
    def time_passes(self, seconds: float) -> None:
        end = self.lab.now + seconds
        while self.lab.now < end:
            self.tick(min(end, self.lab.now + 1.0))
            for keeper in self.keepers.values():
                if keeper.up and not keeper.muted:
                    self.beat(keeper)

    @rule(dry_run=st.booleans())
    def somebody_scans(self, dry_run: bool) -> None:
        self.ask(lambda request: events.Scan(request, dry_run))

    @precondition(lambda self: self.lab.now > 20.0 and self.standing())
    @rule(data=st.data())
    def a_keeper_is_decommissioned(self, data: st.DataObject) -> None:
        keeper = self.some(data, self.standing())
        self.ask(lambda request: events.Decommission(request, keeper.name))

    @precondition(lambda self: self.lab.request > self.restarted_at + 40)
    @rule()
    def the_master_is_killed_and_started_again(self) -> None:
        self.restarted_at = self.lab.request
        self.waiting.clear()
        self.lab.start_master()
        self.carry_out(self.lab.todo)

    # -- the end ----------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Everybody lives and every order is obeyed: now all must become as it should be."""
        if not self.keepers:
            return
        for keeper in self.keepers.values():
            keeper.muted = False
            if not keeper.up and self.lab.liveness(keeper.name) is not Liveness.DECOMMISSIONED:
                self.boot(keeper)
        self.all_goes_well(60)
        self.lab.now += REMEMBERED_S  # so long, the bytes of an upload that broke off may still be wanted
        self.all_goes_well(30)
        self.tell_the_story()
        self.check_all_is_well()

    def tell_the_story(self) -> None:
        """Say in a failure's report what happened to the files, and what is where at the end."""
        for event in self.lab.trace.events():
            if event.kind is not Kind.HEARTBEAT:
                what = f"{event.kind} {event.file_name} {event.version} {event.peer}"
                note(f"{event.time_s:8.1f} {what} {dict(event.detail)}")
        for keeper in self.keepers.values():
            note(f"{keeper.name} {self.lab.liveness(keeper.name)} {keeper.disk}")
        note(f"current: {self.current}")

    def all_goes_well(self, seconds: int) -> None:
        for _ in range(seconds):
            self.lab.now += 1.0
            for keeper in self.keepers.values():
                if keeper.up:
                    self.beat(keeper)
                while keeper.inbox:
                    self.obey(keeper, keeper.inbox.pop(0), "done")
                for version, copy_id in list(keeper.unsaid):
                    self.tell(keeper, version, copy_id)
            self.tick(self.lab.now)

    def check_all_is_well(self) -> None:
        """Guarantee 4, FAULTS oracle: the goal is reached, and nothing is left over."""
        self.every_file_is_known_with_its_right_version()
        staying = [
            keeper for keeper in self.keepers.values() if self.lab.liveness(keeper.name) is not Liveness.DECOMMISSIONED
        ]
        lost = {version for version in self.current.values() if not self.good_copies(version)}
        for keeper in staying:
            holds_what_is_lost = bool(lost & set(keeper.disk))  # the bad bytes of a lost file are not left behind
            assert self.lab.liveness(keeper.name) in ([Liveness.ALIVE, Liveness.DRAINING][: 1 + holds_what_is_lost])
        assert not self.lab.master.safe_mode
        assert self.lab.under_way == {}
        assert set(self.lab.catalog.versions) == set(self.current.values())
        for name, version in self.current.items():
            on_disk = {keeper.name: keeper.disk[version] for keeper in staying if version in keeper.disk}
            if version not in lost:
                assert self.lab.states(name) == dict.fromkeys(on_disk, "valid")
                assert sum(self.lab.liveness(keeper) is Liveness.ALIVE for keeper in on_disk) == REPLICAS
                assert {blob.content for blob in on_disk.values()} == {self.content[version]}
                assert not any(blob.rotten for blob in on_disk.values())
        for keeper in staying:
            assert set(keeper.disk) <= set(self.current.values()), "what nobody wants is gone"


TestWorld = World.TestCase
TestWorld.settings = settings(
    derandomize=True,
    database=None,
    max_examples=250,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_a_version_is_what_its_content_was() -> None:
    """The make-believe disks are told apart by their content alone."""
    version = Version("v", "a", SIZE, BLOCK, checksums_of("x", SIZE), UNIX_S)

    assert _digest("x") != _digest("y")
    assert checksums_of("x", SIZE) == version.checksums
