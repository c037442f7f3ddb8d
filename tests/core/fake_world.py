"""A master among make-believe keepers and clients, driven by chance.

A keeper is a dict of the versions on its disk. It does what the master tells it, or fails, or loses
the order or the answer; it dies, falls silent, comes back with the same, an old or a wiped disk, and
its replicas rot. Each method of `World` whose name is listed in `HAPPENINGS` is a thing that may
happen; the world checks what must never happen while the master speaks.

One thing is assumed of the keepers: what one of them stored it goes on telling until it is answered,
or has dropped it, or dies.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from dfslab.core.blocks import digest
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
from dfslab.core.model import Address, StoredReplica
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.core.trace import Kind

from .worlds import BLOCK, GB, UNIX_S, Lab, checksums_of, path_of

KEEPERS = 6
MOST_KEEPERS = 9
NAMES = ("a", "b", "course/c")
SIZE = 25
T = TypeVar("T")


@dataclass
class Blob:
    """One replica's bytes."""

    content: str
    rotten: bool = False


@dataclass
class FakeKeeper:
    """A keeper's process and disk. `unsaid` is what it stored and has not been answered for."""

    number: int
    up: bool = False
    muted: bool = False
    boots: int = 0
    incarnation: int = 0
    disk: dict[str, Blob] = field(default_factory=dict)
    backup: dict[str, Blob] = field(default_factory=dict)
    inbox: list[CopyReplica | DropReplica] = field(default_factory=list)
    unsaid: list[tuple[str, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"keeper-{self.number}"

    def report(self) -> tuple[StoredReplica, ...]:
        """What a look at the disk finds: rot is not seen, for the checksums beside the bytes are whole."""
        return tuple(
            StoredReplica(version, SIZE, digest(checksums_of(blob.content, SIZE)), path_of(self.name, version))
            for version, blob in self.disk.items()
        )


@dataclass
class Uploading:
    """A client's upload, from its first slot to its acknowledgement."""

    id: str
    name: str
    ack_replicas: int
    content: str
    slots: list[Slot] = field(default_factory=list)
    version: str = ""


class World:
    """One history; `chance` decides what happens, and a seed replays it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        options = Options(
            repair=self.chance.choice(["eager", "scan"]),
            copies_per_keeper=self.chance.choice([1, 4]),
            orphan_grace_s=20.0,
        )
        self.lab = Lab(options, Policies.of(), seed)
        self.keepers: dict[str, FakeKeeper] = {}
        self.current: dict[str, str] = {}
        self.content: dict[str, str] = {}
        self.uploads: dict[str, Uploading] = {}
        self.begun = 0
        self.sent: set[str] = set()
        self.waiting: dict[int, Uploading] = {}
        self.acknowledged: set[str] = set()
        self.happened: list[str] = []
        for _ in range(KEEPERS):
            self.a_new_keeper_joins()

    def happen(self) -> None:
        """Let one thing happen."""
        (what,) = self.chance.choices(list(HAPPENINGS), weights=list(HAPPENINGS.values()))
        self.happened.append(f"{self.lab.now:.1f} {what}")
        happening: Callable[[], None] = getattr(self, what)
        happening()
        self.check_every_file_is_known_with_its_right_version()

    def some(self, many: Sequence[T]) -> list[T]:
        """Return one of `many` in a list, or an empty one when there is none."""
        return [self.chance.choice(many)] if many else []

    # -- messages ---------------------------------------------------------------------------------

    def ask(self, make: Callable[[int], events.Event]) -> Reply | Refuse:
        """Send a request and take in what the master wants; return the request's answer."""
        self.lab.ask(make)
        request = self.lab.request
        self.take(self.lab.todo)
        (answer,) = [one for one in self.lab.todo if isinstance(one, Reply | Refuse) and one.request == request]
        return answer

    def tick(self, at: float) -> None:
        self.lab.tick(at)
        self.take(self.lab.todo)

    def take(self, todo: list[Instruction]) -> None:
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

    # -- what must never happen -------------------------------------------------------------------

    def is_current(self, version: str) -> bool:
        known = self.lab.catalog.versions.get(version)
        return known is not None and not known.deleted

    def is_gone(self, keeper: FakeKeeper) -> bool:
        return self.lab.liveness(keeper.name) is Liveness.DECOMMISSIONED

    def good_copies(self, version: str, *, without: str = "") -> list[str]:
        """Keepers, dead or alive, on whose disk whole bytes of a version are, and which no order will delete."""
        return [
            keeper.name
            for keeper in self.keepers.values()
            if keeper.name != without
            and version in keeper.disk
            and not keeper.disk[version].rotten
            and not self.is_gone(keeper)
            and not (keeper.up and any(self.will_delete(keeper, order, version) for order in keeper.inbox))
        ]

    def will_delete(self, keeper: FakeKeeper, order: CopyReplica | DropReplica, version: str) -> bool:
        return isinstance(order, DropReplica) and (order.version, order.incarnation) == (version, keeper.incarnation)

    def check_drop(self, drop: DropReplica) -> None:
        """Guarantee 4: the last good copy of a file is never deleted."""
        blob = self.keepers[drop.keeper].disk.get(drop.version)
        if self.is_current(drop.version) and blob is not None and not blob.rotten:
            assert self.good_copies(drop.version, without=drop.keeper), f"{drop} orders the last good copy away"

    def check_release(self, keeper: str) -> None:
        """Guarantee 4: nor is it let go with a keeper that is decommissioned."""
        for version, blob in self.keepers[keeper].disk.items():
            if self.is_current(version) and not blob.rotten:
                assert self.good_copies(version, without=keeper), f"{keeper} leaves with the last good {version}"

    def check_acknowledgement(self, upload: Uploading, state: UploadState) -> None:
        """Guarantee 1: an acknowledged upload is on as many keepers' disks as was asked for."""
        if state.acknowledged is None:
            return
        version = state.acknowledged.version
        assert upload.version in ("", version), "an upload becomes one version"
        if self.is_current(version) and version not in self.acknowledged:
            assert len(self.good_copies(version)) >= upload.ack_replicas
        self.acknowledged.add(version)

    def check_every_file_is_known_with_its_right_version(self) -> None:
        """Guarantees 3 and 5: also over restarts; the catalog, the table and the world agree."""
        assert {info.name: info.version for info in self.lab.master.files()} == self.current
        kept = {version.name: version.id for version in self.lab.catalog.versions.values() if not version.deleted}
        assert kept == self.current

    # -- keepers ----------------------------------------------------------------------------------

    def standing(self) -> list[FakeKeeper]:
        return [keeper for keeper in self.keepers.values() if keeper.up]

    def lying(self) -> list[FakeKeeper]:
        return [keeper for keeper in self.keepers.values() if not keeper.up and not self.is_gone(keeper)]

    def boot(self, keeper: FakeKeeper) -> None:
        keeper.boots += 1
        keeper.up, keeper.muted = True, False
        keeper.unsaid.clear()
        self.register(keeper)

    def register(self, keeper: FakeKeeper) -> None:
        answer = self.ask(
            lambda request: events.Register(
                request,
                keeper.name,
                f"{keeper.name}/{keeper.boots}",
                Address("h", 5000 + keeper.number),
                Address("h", 6000 + keeper.number),
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

    def beat(self, keeper: FakeKeeper) -> None:
        answer = self.ask(lambda request: events.Heartbeat(request, keeper.name, keeper.incarnation, GB))
        if isinstance(answer, Refuse):
            assert isinstance(answer.error, StaleIncarnation)
            self.register(keeper)

    def report_bad(self, keeper: FakeKeeper, version: str) -> None:
        self.ask(lambda request: events.BadReplica(request, keeper.name, version, "block 0", "reader"))

    def tell(self, keeper: FakeKeeper, version: str, copy_id: str) -> None:
        """Step 4, until it is answered."""
        known = version in self.lab.catalog.versions
        answer = self.ask(
            lambda request: events.ReplicaStored(
                request,
                keeper.name,
                keeper.incarnation,
                version,
                SIZE,
                BLOCK,
                checksums_of(self.content[version], SIZE),
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
            self.take_in_commit(version)

    def take_in_commit(self, version: str) -> None:
        (upload,) = [one for one in self.uploads.values() if any(slot.version == version for slot in one.slots)]
        assert upload.version == "", "one upload makes one file"
        upload.version = version
        self.current[upload.name] = version

    def a_new_keeper_joins(self) -> None:
        if len(self.keepers) < MOST_KEEPERS:
            keeper = FakeKeeper(len(self.keepers) + 1)
            self.keepers[keeper.name] = keeper
            self.boot(keeper)

    def a_keeper_is_killed(self) -> None:
        for keeper in self.some(self.standing()):
            keeper.up = False
            keeper.unsaid.clear()

    def a_keeper_returns(self) -> None:
        for keeper in self.some(self.lying()):
            self.boot(keeper)

    def a_keeper_returns_with_an_old_disk(self) -> None:
        for keeper in self.some(self.lying()):
            rotten = {version for version, blob in keeper.disk.items() if blob.rotten}
            keeper.disk = {version: Blob(blob.content, version in rotten) for version, blob in keeper.backup.items()}
            self.boot(keeper)

    def a_keeper_returns_with_a_wiped_disk(self) -> None:
        for keeper in self.some(self.lying()):
            keeper.disk = {}
            self.boot(keeper)

    def every_disk_is_backed_up(self) -> None:
        for keeper in self.keepers.values():
            keeper.backup = dict(keeper.disk)

    def a_link_to_the_master_is_cut_or_healed(self) -> None:
        for keeper in self.some(self.standing()):
            keeper.muted = not keeper.muted

    def a_replica_rots_and_a_reader_finds_it(self) -> None:
        listed = {(version.id, replica.keeper) for version, replica, _ in self.lab.master.rows()}
        for keeper in self.some(self.standing()):
            sound = [version for version, blob in keeper.disk.items() if not blob.rotten]
            for version in self.some([version for version in sound if (version, keeper.name) in listed]):
                keeper.disk[version].rotten = True
                self.report_bad(keeper, version)

    def ordered(self) -> list[tuple[FakeKeeper, CopyReplica | DropReplica]]:
        return [(keeper, order) for keeper in self.keepers.values() for order in keeper.inbox]

    def an_order_is_obeyed_or_fails(self) -> None:
        for keeper, order in self.some(self.ordered()):
            keeper.inbox.remove(order)
            self.obey(keeper, order, self.chance.choice(["done", "unanswered", "failed", "source failed"]))

    def an_order_is_lost(self) -> None:
        for keeper, order in self.some(self.ordered()):
            keeper.inbox.remove(order)

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

    def a_keeper_tells_what_it_stored(self) -> None:
        for keeper in self.some([keeper for keeper in self.standing() if keeper.unsaid and not keeper.muted]):
            self.tell(keeper, *self.chance.choice(keeper.unsaid))

    # -- clients ----------------------------------------------------------------------------------

    def a_client_begins_an_upload(self) -> Uploading:
        self.begun += 1
        number = self.begun
        name, ack_replicas = self.chance.choice(NAMES), self.chance.randint(1, 3)
        upload = Uploading(f"up-{number}", name, ack_replicas, f"content {number}")
        self.uploads[upload.id] = upload
        self.ask_for_slot(upload)
        return upload

    def a_client_uploads_a_file(self) -> None:
        upload = self.a_client_begins_an_upload()
        self.wait_for(upload)
        for slot in upload.slots:
            if self.keepers[slot.keeper].up:
                self.send(upload, slot, told=True)

    def a_client_tries_another_keeper(self) -> None:
        for upload in self.some([upload for upload in self.uploads.values() if upload.slots]):
            self.ask_for_slot(upload)

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
            assert answer.value.version not in self.content, "an id is never used twice"
            upload.slots.append(answer.value)
            self.content[answer.value.version] = upload.content

    def a_client_sends_its_file(self) -> None:
        granted = [(upload, slot) for upload in self.uploads.values() for slot in upload.slots]
        open_slots = [(upload, slot) for upload, slot in granted if slot.version not in self.sent]
        for upload, slot in self.some([one for one in open_slots if self.keepers[one[1].keeper].up]):
            self.send(upload, slot, told=self.chance.random() < 0.7)

    def send(self, upload: Uploading, slot: Slot, *, told: bool) -> None:
        keeper = self.keepers[slot.keeper]
        self.sent.add(slot.version)
        keeper.disk[slot.version] = Blob(upload.content)
        keeper.unsaid.append((slot.version, ""))
        if told and not keeper.muted:
            self.tell(keeper, slot.version, "")

    def a_client_waits_for_its_acknowledgement(self) -> None:
        for upload in self.some(list(self.uploads.values())):
            self.wait_for(upload)

    def wait_for(self, upload: Uploading) -> None:
        self.waiting[self.lab.request + 1] = upload
        self.lab.ask(lambda request: events.AwaitUpload(request, upload.id, 1.0))
        self.take(self.lab.todo)

    def a_file_is_deleted(self) -> None:
        name = self.chance.choice(NAMES)
        answer = self.ask(lambda request: events.Delete(request, name))
        assert isinstance(answer, Reply) == (name in self.current)
        self.current.pop(name, None)

    def a_file_is_renamed(self) -> None:
        old, new = self.chance.choice(NAMES), self.chance.choice(NAMES)
        answer = self.ask(lambda request: events.Rename(request, old, new))
        assert isinstance(answer, Reply) == (old in self.current and new not in self.current)
        if isinstance(answer, Reply):
            self.current[new] = self.current.pop(old)

    # -- time, operators and the master itself ----------------------------------------------------

    def a_moment_passes(self) -> None:
        self.pass_time(self.chance.choice([0.2, 1.0, 2.0]))

    def a_while_passes(self) -> None:
        self.pass_time(self.chance.choice([5.0, 12.0]))

    def pass_time(self, seconds: float) -> None:
        end = self.lab.now + seconds
        while self.lab.now < end:
            self.tick(min(end, self.lab.now + 1.0))
            for keeper in self.standing():
                if not keeper.muted:
                    self.beat(keeper)

    def somebody_scans(self) -> None:
        dry_run = self.chance.random() < 0.5
        self.ask(lambda request: events.Scan(request, dry_run))

    def a_keeper_is_decommissioned(self) -> None:
        for keeper in self.some(self.standing()):
            self.ask(lambda request, name=keeper.name: events.Decommission(request, name))  # type: ignore[misc]

    def the_master_is_killed_and_started_again(self) -> None:
        self.waiting.clear()
        self.lab.start_master()
        self.take(self.lab.todo)

    # -- the end ----------------------------------------------------------------------------------

    def all_goes_well(self, seconds: int) -> None:
        """Everybody lives and is heard, and every order is obeyed at once."""
        for _ in range(seconds):
            self.lab.now += 1.0
            for keeper in self.keepers.values():
                keeper.muted = False
                if keeper.up:
                    self.beat(keeper)
                elif not self.is_gone(keeper):
                    self.boot(keeper)
                for version, copy_id in list(keeper.unsaid):
                    self.tell(keeper, version, copy_id)
            self.every_order_is_obeyed()
            self.tick(self.lab.now)

    def heal(self) -> None:
        """Let all become as it should be; what an upload that broke off left is wanted for some hours."""
        self.happened.append(f"{self.lab.now:.1f} heal")
        self.all_goes_well(60)
        self.uploads.clear()
        self.lab.now += self.lab.options.upload_memory_s
        self.all_goes_well(40)

    def check_all_is_well(self) -> None:
        """Guarantee 4, and the oracle of FAULTS: the goal is reached, and nothing is left over."""
        self.check_every_file_is_known_with_its_right_version()
        assert not self.lab.master.safe_mode
        assert self.lab.under_way == {}
        assert set(self.lab.catalog.versions) == set(self.current.values())
        assert self.lab.catalog.uploads == {}
        staying = [keeper for keeper in self.keepers.values() if not self.is_gone(keeper)]
        lost = {version for version in self.current.values() if not self.good_copies(version)}
        for name, version in self.current.items():
            if version not in lost:
                on_disk = {keeper.name: keeper.disk[version] for keeper in staying if version in keeper.disk}
                alive = [keeper for keeper in on_disk if self.lab.liveness(keeper) is Liveness.ALIVE]
                assert self.lab.states(name) == dict.fromkeys(on_disk, "valid")
                assert len(alive) == self.lab.options.replicas
                assert {(blob.content, blob.rotten) for blob in on_disk.values()} == {(self.content[version], False)}
        for keeper in staying:
            assert set(keeper.disk) <= set(self.current.values()), "what nobody wants is gone"
            left = (
                [Liveness.DRAINING] if lost & set(keeper.disk) else []
            )  # the bytes of a lost file are not left behind
            assert self.lab.liveness(keeper.name) in [Liveness.ALIVE, *left]

    def story(self) -> str:
        """What happened, for the report of a failure."""
        lines = [
            f"{event.time_s:9.1f} {event.kind} {event.file_name} {event.version} {event.peer} {dict(event.detail)}"
            for event in self.lab.trace.events()
            if event.kind is not Kind.HEARTBEAT
        ]
        disks = [f"{keeper.name} {self.lab.liveness(keeper.name)} {keeper.disk}" for keeper in self.keepers.values()]
        return "\n".join([*self.happened[-40:], *lines[-80:], *disks, f"current: {self.current}"])


HAPPENINGS = {
    "a_new_keeper_joins": 1,
    "a_keeper_is_killed": 8,
    "a_keeper_returns": 8,
    "a_keeper_returns_with_an_old_disk": 1,
    "a_keeper_returns_with_a_wiped_disk": 2,
    "every_disk_is_backed_up": 2,
    "a_link_to_the_master_is_cut_or_healed": 6,
    "a_replica_rots_and_a_reader_finds_it": 4,
    "an_order_is_obeyed_or_fails": 20,
    "an_order_is_lost": 3,
    "every_order_is_obeyed": 12,
    "a_keeper_tells_what_it_stored": 10,
    "a_client_begins_an_upload": 4,
    "a_client_uploads_a_file": 10,
    "a_client_tries_another_keeper": 5,
    "a_client_sends_its_file": 10,
    "a_client_waits_for_its_acknowledgement": 5,
    "a_file_is_deleted": 2,
    "a_file_is_renamed": 2,
    "a_moment_passes": 20,
    "a_while_passes": 12,
    "somebody_scans": 4,
    "a_keeper_is_decommissioned": 1,
    "the_master_is_killed_and_started_again": 3,
}
"""What may happen, and how likely it is."""
