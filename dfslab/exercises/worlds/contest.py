"""A minute and a half of a cluster's life, in which all four policies are at work: uploads, downloads, deaths.

The master and the downloads are the cores that a real cluster runs; the keepers, their network and their disks are
a model that knows rates and delays. The same seed makes the same world, whoever decides in it.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dfslab.core.blocks import CHECKSUM_BYTES, block_count, digest
from dfslab.core.download import Download
from dfslab.core.errors import FileUnavailable, NoSuchFile, PolicyFailed
from dfslab.core.master import Master, events
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
)
from dfslab.core.model import Address, StoredReplica, Version
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.core.trace import Kind
from dfslab.exercises.drawing import BLUE, GREEN, VERMILION, axes, svg
from dfslab.sim.loop import Loop

KEEPERS, FILES, DOWNLOADS, DEATHS = 8, 32, 4, 3
TICK_S = 0.4
RATE_MB_S, SLOW_MB_S = 20.0, 8.0
REQUEST_S, REST_S, DISK_S = 0.002, 0.05, 0.05
JITTER_S = 0.12
"""The mean of a heartbeat's delay."""
PAUSE_S = (1.2, 2.6)
"""For how long a keeper is held up, now and then, without being dead; its heartbeats come late."""
DOWNLOADS_BEGIN_S, DEATHS_BEGIN_S, END_S = 25.0, 40.0, 90.0
DOWNLOAD_LIMIT_S = 12.0
"""What a download is counted as that has not ended by then."""
BLOCK_BYTES = 256 * 1024
_NOWHERE = Address("127.0.0.1", 1)


class PlayFailed(Exception):
    """A policy raised, or chose what it may not choose, so that the world did not go on."""


@dataclass(frozen=True)
class Result:
    """What came of one world.

    Attributes
    ----------
    detection_s : float
        From a keeper's death until it was declared dead, the mean of three deaths; those never noticed count
        until the end.
    false_alarms : int
        How often a keeper was declared dead that was not.
    full_replication_s : float
        From the last death until every file that was left had three copies again; until the end if never.
    moved_mb : float
        What was copied between keepers, 10^6 bytes.
    skew : float
        Bytes on the fullest keeper before the deaths, divided by the mean.
    download_s : float
        The mean time of a download; one that has not ended after 12 s counts as 12 s.
    files_lost : int
        Files of which no copy was left.
    whole : bool
        Whether every file that was left had three copies again in the end.
    deaths, alarms : mapping of str to float
        When keepers died, and when they were first declared dead wrongly, seconds.
    declared : mapping of str to float
        When those that had died were declared dead, seconds.
    copies_at : list of tuple of float and int
        The number of good copies of all files, at each moment (seconds) at which it changed.
    """

    detection_s: float
    false_alarms: int
    full_replication_s: float
    moved_mb: float
    skew: float
    download_s: float
    files_lost: int
    whole: bool
    deaths: Mapping[str, float]
    declared: Mapping[str, float]
    alarms: Mapping[str, float]
    copies_at: list[tuple[float, int]] = field(repr=False)

    def picture(self) -> str:
        """Draw the number of good copies over time, with the deaths and when they were noticed, as SVG."""
        ax = axes(2.4)
        at_s, copies = zip(*[*self.copies_at, (END_S, self.copies_at[-1][1])], strict=True)
        ax.step(at_s, copies, where="post", color=BLUE)
        for moments, colour, line, label in (
            (self.deaths, VERMILION, "-", "a keeper dies"),
            (self.declared, GREEN, "--", "it is declared dead"),
            (self.alarms, "black", ":", "a false alarm"),
        ):
            for number, moment_s in enumerate(moments.values()):
                ax.axvline(moment_s, color=colour, linestyle=line, linewidth=1, label="" if number else label)
        ax.set(xlim=(0, END_S), ylim=(0, None), xlabel="time (s)", ylabel="good copies of all files")
        ax.legend(loc="lower right", fontsize="small")
        return svg(ax)


def play(policies: Mapping[str, object], seed: int) -> Result:
    """Let policies live through the world of a seed.

    Parameters
    ----------
    policies : mapping of str to object
        What `start` takes under the same names.
    seed : int

    Raises
    ------
    PlayFailed
        A policy raised, or chose what it may not choose.
    """
    return _Contest(policies, seed).run()


@dataclass
class _Keeper:
    name: str
    rate_mb_s: float
    pauses: list[tuple[float, float]]
    rng: random.Random
    alive: bool = True
    incarnation: int = 0
    registrations: int = 0
    disk: dict[str, Version] = field(default_factory=dict)
    transfers: int = 0

    def thawed(self, now: float) -> float:
        """Return when something that reaches it now is dealt with."""
        return next((end for begin, end in self.pauses if begin <= now < end), now)


class _Contest:
    def __init__(self, policies: Mapping[str, Any], seed: int) -> None:
        self.seed, self.rng = seed, random.Random(f"{seed}/world")
        self.loop = Loop()
        self.options = Options(block_size=BLOCK_BYTES)
        self.policies = Policies.of(**policies, heartbeat_timeout_s=self.options.heartbeat_timeout_s)
        self.master = Master(self.options, self.policies, random.Random(f"{seed}/master"))
        self.keepers = {f"keeper-{number}": self._keeper(number) for number in range(1, KEEPERS + 1)}
        self.sizes = [int(min(24.0, 2.0 + self.rng.expovariate(1 / 6)) * 1e6) for _ in range(FILES)]
        self.versions: dict[str, Version] = {}
        self.requests = 0
        self.deaths: dict[str, float] = {}
        self.declared: dict[str, float] = {}
        self.alarms: dict[str, float] = {}
        self.false_alarms = 0
        self.whole_s: float | None = None
        self.moved_bytes = 0
        self.skew = 0.0
        self.downloads: list[float] = []
        self.copies_at: list[tuple[float, int]] = [(0.0, 0)]

    def _keeper(self, number: int) -> _Keeper:
        rng, pauses = self.rng, []
        for since_s, until_s in ((3.0, DEATHS_BEGIN_S - 5), (DEATHS_BEGIN_S + 25, END_S - 5)):
            begin_s = rng.uniform(since_s, until_s)
            pauses.append((begin_s, begin_s + rng.uniform(*PAUSE_S)))
        return _Keeper(
            f"keeper-{number}", SLOW_MB_S if number == 2 else RATE_MB_S, pauses, random.Random(rng.getrandbits(64))
        )

    def run(self) -> Result:
        rng, loop = self.rng, self.loop
        for keeper in self.keepers.values():
            loop.at(rng.uniform(0, 1), self._beat, keeper)
        for number, size in enumerate(self.sizes):
            loop.at(2.0 + 0.3 * number, self._upload, f"file-{number + 1:02}", size)
        largest = sorted(range(FILES), key=self.sizes.__getitem__)[-DOWNLOADS:]
        loop.at(DOWNLOADS_BEGIN_S, self._next_download, [f"file-{number + 1:02}" for number in largest])
        at_s = DEATHS_BEGIN_S
        loop.at(at_s - 1, self._weigh)
        for name in rng.sample(list(self.keepers), DEATHS):
            loop.at(at_s, self._die, self.keepers[name])
            at_s += rng.uniform(3.0, 8.0)
        loop.after(TICK_S, self._tick)
        while loop.now < END_S:
            loop.step()
        return self._result()

    def _result(self) -> Result:
        last_s = max(self.deaths.values())
        noticed = [min(self.declared.get(name, END_S), END_S) - died_s for name, died_s in self.deaths.items()]
        lost = sum(1 for version in self.versions if not self._holders(version))
        downloads = [*self.downloads, *[DOWNLOAD_LIMIT_S] * (DOWNLOADS - len(self.downloads))]
        return Result(
            detection_s=sum(noticed) / len(noticed),
            false_alarms=self.false_alarms,
            full_replication_s=(END_S if self.whole_s is None else self.whole_s) - last_s,
            moved_mb=self.moved_bytes / 1e6,
            skew=self.skew,
            download_s=sum(downloads) / len(downloads),
            files_lost=lost,
            whole=self.whole_s is not None,
            deaths=self.deaths,
            declared=self.declared,
            alarms=self.alarms,
            copies_at=self.copies_at,
        )

    # -- the master ---------------------------------------------------------------------------

    def _ask(self, event: events.Event) -> object:
        """Have the master handle an event; return its answer, or the error with which it refuses."""
        answer: object = None
        for one in self.master.handle(event, self.loop.now):
            answer = self._carry_out(one, answer)
        if isinstance(answer, PolicyFailed):
            raise PlayFailed(str(answer))
        return answer

    def _carry_out(self, one: Instruction, answer: object) -> object:
        match one:
            case Reply(_, value):
                return value
            case Refuse(_, error):
                return error
            case CopyReplica():
                self.loop.after(DISK_S, self._begin_copy, one)
            case DropReplica(version, keeper, _, incarnation, _):
                self.loop.after(DISK_S, self._drop, self.keepers[keeper], version, incarnation)
            case Note(event) if event.kind is Kind.NODE_ERROR:
                raise PlayFailed(str(event.detail["reason"]))
            case Note(event) if event.kind is Kind.KEEPER_DEAD:
                self._on_declared(self.keepers[event.peer])
        return answer

    def _request(self) -> int:
        self.requests += 1
        return self.requests

    def _tick(self) -> None:
        self._ask(events.Tick())
        self.loop.after(TICK_S, self._tick)

    def _on_declared(self, keeper: _Keeper) -> None:
        if keeper.alive:
            self.false_alarms += 1
            self.alarms.setdefault(keeper.name, self.loop.now)
        else:
            self.declared.setdefault(keeper.name, self.loop.now)

    # -- keepers ------------------------------------------------------------------------------

    def _beat(self, keeper: _Keeper) -> None:
        if keeper.alive:
            now = self.loop.now
            arrives_s = keeper.thawed(now) + keeper.rng.expovariate(1 / JITTER_S)
            self.loop.at(arrives_s, self._heartbeat, keeper)
            self.loop.at(max(now + self.options.heartbeat_interval_s, keeper.thawed(now)), self._beat, keeper)

    def _heartbeat(self, keeper: _Keeper) -> None:
        if not keeper.alive:
            return
        beat = events.Heartbeat(self._request(), keeper.name, keeper.incarnation, 10**12)
        if keeper.incarnation and not isinstance(self._ask(beat), Exception):
            return
        keeper.registrations += 1
        report = tuple(
            StoredReplica(version.id, version.size, digest(version.checksums), version.id)
            for version in keeper.disk.values()
        )
        answer = self._ask(
            events.Register(
                self._request(), keeper.name, keeper.name, _NOWHERE, _NOWHERE, "", 10**12, report, keeper.registrations
            )
        )
        assert isinstance(answer, Registered), answer
        keeper.incarnation = answer.incarnation

    def _die(self, keeper: _Keeper) -> None:
        keeper.alive = False
        keeper.disk.clear()
        self.deaths[keeper.name] = self.loop.now
        self.whole_s = None
        self._count_copies()

    def _store(self, keeper: _Keeper, version: Version, copy_id: str = "") -> bool:
        """Have a keeper report a replica; return whether it counts."""
        keeper.disk[version.id] = version
        stored = events.ReplicaStored(
            self._request(),
            keeper.name,
            keeper.incarnation,
            version.id,
            version.size,
            version.block_size,
            version.checksums,
            version.id,
            self.loop.now,
            copy_id,
        )
        self._count_copies()
        return self._ask(stored) == Recorded(keep=True)

    def _drop(self, keeper: _Keeper, version: str, incarnation: int) -> None:
        if keeper.alive and keeper.incarnation == incarnation:
            keeper.disk.pop(version, None)
            self._count_copies()
            self._ask(events.ReplicaDropped(self._request(), keeper.name, incarnation, version))

    def _begin_copy(self, order: CopyReplica) -> None:
        source, target = self.keepers[order.source], self.keepers[order.target]
        if not (source.alive and target.alive):
            self.loop.after(DISK_S, self._copy_failed, order)
            return
        for end in (source, target):
            end.transfers += 1
        rate_mb_s = min(end.rate_mb_s / end.transfers for end in (source, target))
        self.loop.after(order.version.size / 1e6 / rate_mb_s, self._end_copy, order)

    def _end_copy(self, order: CopyReplica) -> None:
        source, target = self.keepers[order.source], self.keepers[order.target]
        for end in (source, target):
            end.transfers -= 1
        if source.alive and target.alive:
            self.moved_bytes += order.version.size
            self._store(target, order.version, order.copy_id)
        else:
            self._copy_failed(order)

    def _copy_failed(self, order: CopyReplica) -> None:
        if self.keepers[order.target].alive:
            failed = events.CopyFailed(self._request(), order.target, order.copy_id, "reset", source_at_fault=True)
            self._ask(failed)

    # -- clients ------------------------------------------------------------------------------

    def _upload(self, name: str, size: int) -> None:
        slot = self._ask(events.BeginUpload(self._request(), f"{name}/{self.requests}", name, size, 1, "client"))
        if not isinstance(slot, Slot):  # nobody is held for alive
            self.loop.after(1.0, self._upload, name, size)
            return
        checksums = bytes(CHECKSUM_BYTES * block_count(size, BLOCK_BYTES))
        version = Version(slot.version, name, size, BLOCK_BYTES, checksums, self.loop.now)
        keeper = self.keepers[slot.keeper]
        self.loop.after(size / 1e6 / keeper.rate_mb_s, self._uploaded, keeper, version)

    def _uploaded(self, keeper: _Keeper, version: Version) -> None:
        if self._store(keeper, version):
            self.versions[version.id] = version
            self._count_copies()
        else:  # it was held for dead meanwhile, so that the client turns to another
            keeper.disk.pop(version.id)
            self._upload(version.name, version.size)

    def _next_download(self, names: list[str]) -> None:
        if names:
            try:
                location = self.master.locate(names[0], self.loop.now)
            except (FileUnavailable, NoSuchFile):  # those that have it are held for dead
                self.downloaded(names, DOWNLOAD_LIMIT_S)
                return
            holders = [holder.keeper for holder in location.holders]
            scheduler = copy.deepcopy(self.policies.chunk_scheduler)
            download = Download(location.version.size, BLOCK_BYTES, holders, scheduler)
            held_up = random.Random(f"{self.seed}/{names[0]}").choice(holders)
            fetching = _Fetching(self, download, names, held_up)
            for keeper in holders:
                fetching.serve(keeper)

    def downloaded(self, names: list[str], seconds: float) -> None:
        """Note how long a download took, and begin the next."""
        self.downloads.append(min(seconds, DOWNLOAD_LIMIT_S))
        self._next_download(names[1:])

    # -- what is measured ---------------------------------------------------------------------

    def _holders(self, version: str) -> list[str]:
        return [keeper.name for keeper in self.keepers.values() if version in keeper.disk]

    def _count_copies(self) -> None:
        copies = [len(self._holders(version)) for version in self.versions]
        self.copies_at.append((self.loop.now, sum(copies)))
        whole = all(count >= self.options.replicas for count in copies if count)
        if len(self.deaths) == DEATHS and self.whole_s is None and whole:
            self.whole_s = self.loop.now

    def _weigh(self) -> None:
        stored = [sum(version.size for version in keeper.disk.values()) for keeper in self.keepers.values()]
        self.skew = max(stored) / (sum(stored) / len(stored)) if any(stored) else math.inf


class _Fetching:
    """One download: its holders serve chunk after chunk; one of them is held up for its first second."""

    HELD_UP_S = 1.0

    def __init__(self, contest: _Contest, download: Download, names: list[str], held_up: str) -> None:
        self._contest, self._loop, self._download, self._names = contest, contest.loop, download, names
        self._began_s, self._held_up, self._ended = contest.loop.now, held_up, False

    def serve(self, name: str) -> None:
        """Have a holder serve its next chunk, or rest."""
        now = self._loop.now
        if self._ended:
            return
        if self._download.finished or now - self._began_s >= DOWNLOAD_LIMIT_S:
            self._ended = True
            self._contest.downloaded(self._names, now - self._began_s)
            return
        chunk = self._download.next_chunk(name, now)
        if chunk is None:
            self._loop.after(REST_S, self.serve, name)
            return
        takes_s = REQUEST_S + chunk.length / 1e6 / self._contest.keepers[name].rate_mb_s
        if name == self._held_up:
            self._held_up, takes_s = "", takes_s + self.HELD_UP_S

        def arrived() -> None:
            self._download.arrived(name, chunk, self._loop.now)
            self.serve(name)

        self._loop.after(takes_s, arrived)
