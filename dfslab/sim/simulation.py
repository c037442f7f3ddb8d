"""One history: a whole cluster in virtual time, with trouble, its healing, and everything that must hold."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import chain

from dfslab.core.errors import DfsError
from dfslab.core.guarantees import (
    Broken,
    Guarantee,
    check_leftovers,
    check_names,
    check_pending,
    check_recovery,
)
from dfslab.core.keeper.shelf import CHECKSUMS, DATA
from dfslab.core.master import events
from dfslab.core.master.instructions import Instruction
from dfslab.core.nodes import CLIENT, MASTER
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.core.trace import Kind, TraceEvent, Tracer
from dfslab.sim.catalog import Catalog
from dfslab.sim.client import SimClient
from dfslab.sim.faults import Fault, Struck, schedule, strike
from dfslab.sim.keeper import SimKeeper
from dfslab.sim.ledger import Ledger
from dfslab.sim.linearizability import is_linearizable
from dfslab.sim.loop import Loop
from dfslab.sim.master import SimMaster, Surroundings
from dfslab.sim.network import Network
from dfslab.sim.telling import check_trace
from dfslab.sim.workload import Workload

RECOVERY_S = 40.0
"""Within so many seconds of the last fault's end, every file has its copies again."""
HEARD_S = 5.0
"""After so long, a master that was started last has heard all keepers; then one of them dies for the time being."""
CALM_S = 60.0
"""And within so many more, nothing is left over."""
CALL_BOUND_S = 240.0
"""No call takes longer than this: eight attempts of an upload, each held up at every turn."""
OWN_CHECK_EVERY = 64
"""Events of the master between two looks of its core at all its own tables."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a history is made.

    Attributes
    ----------
    seed, steps : int
        What all chance comes from, and how many things happen before all is healed.
    keepers : int, optional
        By default 3 to 6, drawn.
    clients : int
    think_s : float
        The mean rest of a client between two acts, seconds.
    fault_gap_s : float
        The mean time between two faults, seconds.
    only : collection of int, optional
        The numbers of the faults that may happen; by default all of them.
    policies : mapping of str to object
        What `start` takes under the same names ("placement", ...), to be tried in trouble.
    racks : mapping of str to str
        The rack of each keeper, by its name.
    """

    seed: int
    steps: int = 5000
    keepers: int | None = None
    clients: int = 3
    think_s: float = 0.6
    fault_gap_s: float = 1.2
    only: Collection[int] | None = None
    policies: Mapping[str, object] = field(default_factory=dict)
    racks: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What came of a history.

    Attributes
    ----------
    broken : Broken or None
        The guarantee that did not hold.
    acknowledged : int
        Uploads that clients were told are stored.
    core_events : int
        Events and answers that the cores of the master, the keepers and the clients took.
    virtual_s : float
    struck : dict of str to int
        How often each kind of fault has really happened.
    counts : dict of str to int
    faults : list of Fault
        Those that happened, in their order.
    trace : list of TraceEvent
    """

    settings: Settings
    broken: Broken | None = None
    acknowledged: int = 0
    core_events: int = 0
    virtual_s: float = 0.0
    struck: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    trace: list[TraceEvent] = field(default_factory=list)


class Simulation:
    """A cluster in virtual time. `run` lets it live, once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        rngs = {what: random.Random(f"{settings.seed}/{what}") for what in _CHANCES}
        self.options = Options(
            heartbeat_interval_s=0.5,
            heartbeat_timeout_s=1.6,
            replication_interval_s=4.0,
            orphan_grace_s=8.0,
            copy_retry_s=0.3,
            upload_memory_s=30.0,
            scrub_interval_s=12.0,  # what is new waits for up to two of them, which is within the time to recover
            stall_timeout_s=1.5,
            ack_timeout_s=10.0,
            block_size=16,
            repair=rngs["options"].choice(["eager", "eager", "scan"]),
            copies_per_keeper=rngs["options"].choice([1, 4]),
            racks=settings.racks,
        )
        self.think_s = settings.think_s
        self.outcome = Outcome(settings)
        self.loop = Loop()
        self.network = Network(self.loop, rngs["network"])
        self.calm = {name: getattr(self.network, name) for name in ("loss", "repeat", "delay_s")}
        around = Surroundings(self.loop, self.network, self.options, self.outcome.trace.append, self.outcome.counts)
        self.ledger = Ledger()
        self.catalog = Catalog(self.ledger.on_record)
        policies = Policies.of(
            **settings.policies,
            heartbeat_timeout_s=self.options.heartbeat_timeout_s,
            replicas=self.options.replicas,
        )
        self.master = SimMaster(around, policies, rngs["master"], self.catalog, self._on_event)
        self.keepers: dict[str, SimKeeper] = {}
        for number in range(1, (settings.keepers or rngs["options"].choice([3, 4, 5, 5, 6])) + 1):
            rng = random.Random(rngs["keepers"].getrandbits(64))
            keeper = SimKeeper(around, number, rng, self.ledger.on_stored, self.ledger.on_delete)
            self.keepers[keeper.name] = keeper
        self.ledger.bind(self.catalog, self.keepers, lambda: self.master.core, self.options.replicas)
        self.clients: dict[str, SimClient] = {}
        for number in range(1, settings.clients + 1):
            name = f"{CLIENT}-{number}"
            rng = random.Random(rngs["clients"].getrandbits(64))
            self.clients[name] = SimClient(around, name, rng, policies.chunk_scheduler)
        self.workload = Workload(self, rngs["workload"])
        self.refused_versions: dict[str, tuple[str, str]] = {}
        self.leaving: dict[str, None] = {}
        self._schedule = schedule(rngs["faults"], settings.fault_gap_s)
        self._under_way: dict[int, Struck] = {}
        self._healing = False
        can_spare = len(self.keepers) > self.options.replicas
        self._away = rngs["healing"].choice([None, *self.keepers.values()]) if can_spare else None
        self._events_seen = 0
        self._tracer = Tracer("world", "1")

    # -- a life -------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Live through the trouble, heal, and check; the outcome names the guarantee that did not hold."""
        try:
            self._live()
        except Broken as broken:
            self.outcome.broken = broken
        outcome = self.outcome
        outcome.acknowledged = self.ledger.acknowledged
        outcome.core_events = outcome.counts.pop("core events")
        outcome.virtual_s = self.loop.now
        for what, times in self.network.struck.items():
            outcome.struck[f"message: {what}"] = times
        return outcome

    def _live(self) -> None:
        self.boot_master()
        for keeper in self.keepers.values():
            self.boot(keeper)
        for client in self.clients.values():
            self.boot_client(client)
        self._next_fault()
        while self.loop.steps < self.settings.steps:
            self.loop.step()
        self._heal()
        self._pass_until(lambda: not self.workload.pending, CALL_BOUND_S)
        check_pending(self.workload.pending)
        self.master.life.end()
        self.boot_master()
        self.workload.look_at_every_name()
        self._check_history()
        self._pass(HEARD_S)
        if self._away is not None:  # what is repaired only because everybody comes back was not repaired
            self._away.life.end()
        self._pass(RECOVERY_S)
        self._check_recovery()
        self._bring_back()
        self._pass(CALM_S)
        self._check_recovery()
        self._check_calm()

    def _pass(self, seconds: float) -> None:
        end = self.loop.now + seconds
        while self.loop.now < end:
            self.loop.step()

    def _pass_until(self, condition: object, seconds: float) -> None:
        assert callable(condition)
        end = self.loop.now + seconds
        while self.loop.now < end and not condition():
            self.loop.step()

    # -- nodes --------------------------------------------------------------------------------

    def boot(self, keeper: SimKeeper) -> None:
        """Start a keeper that lies."""
        if not keeper.life.alive:
            keeper.boot()

    def boot_client(self, client: SimClient) -> None:
        """Start a client's process."""
        client.boot()
        client.life.start(self.workload.live(client))

    def boot_master(self) -> None:
        """Start a master that lies, and check that it remembers."""
        if self.master.life.alive:
            return
        self.ledger.on_master_started()
        self.master.boot()
        check_names({info.name: info.version for info in self.master.core.files()}, self.catalog.names)

    def _on_event(self, event: events.Event, todo: list[Instruction]) -> None:
        self.ledger.on_master_event(event, todo)
        self._events_seen += 1
        if self._events_seen % OWN_CHECK_EVERY == 0:
            self.master.core.validate()

    def count_outcome(self, act: str, error: DfsError | None) -> None:
        """Count how a client's act ended."""
        what = f"{act}: {'done' if error is None else type(error).__name__}"
        self.outcome.counts[what] = self.outcome.counts.get(what, 0) + 1

    # -- trouble ------------------------------------------------------------------------------

    def _next_fault(self) -> None:
        fault = next(self._schedule)
        self.loop.at(fault.at_s, self._strike, fault)

    def _strike(self, fault: Fault) -> None:
        if self._healing:
            return
        self._next_fault()
        only = self.settings.only
        if only is not None and fault.number not in only:
            return
        struck = strike(self, fault)
        if struck is None:
            return
        target, undo = struck
        self.outcome.struck[fault.kind] = self.outcome.struck.get(fault.kind, 0) + 1
        self.outcome.faults.append(fault)
        self._note(f"begins ({target})", fault)
        self._under_way[fault.number] = target, undo
        self.loop.after(fault.lasts_s, self._end, fault)

    def _end(self, fault: Fault) -> None:
        if fault.number in self._under_way:
            target, undo = self._under_way.pop(fault.number)
            self._note(f"ends ({target})", fault)
            undo()

    def _note(self, what: str, fault: Fault) -> None:
        action = f"{fault.number}: {fault.kind} {what}"
        self.outcome.trace.append(self._tracer.event(Kind.FAULT, self.loop.now, action=action))

    def _heal(self) -> None:
        """End every fault, start whatever lies, and let nothing more happen."""
        self._healing = True
        self.workload.going_on = False
        for fault in list(self.outcome.faults):
            self._end(fault)
        self.boot_master()
        self._bring_back()
        for life in chain([self.master.life], (keeper.life for keeper in self.keepers.values())):
            life.thaw()

    def _bring_back(self) -> None:
        for keeper in self.keepers.values():
            self.boot(keeper)

    # -- what must hold at the end ------------------------------------------------------------

    def _check_history(self) -> None:
        for name, operations in self.workload.history.items():
            if name not in self.workload.blurred and not is_linearizable(operations):
                told = "\n".join(f"  {one}" for one in sorted(operations, key=lambda one: one.began_s))
                what = f"no order of the calls on {name!r} explains what they returned:\n{told}"
                raise Broken(Guarantee.WHOLE_VERSIONS, what, file_name=name)
        self.workload.check_honesty()

    def _check_recovery(self) -> None:
        """Hold every file that has a good copy on a keeper which is there to its goal."""
        for name, version in self.ledger.current().items():
            counted = self.master.core.holders_of(version)
            there = [one for one in self.ledger.good_copies(version) if self.keepers[one].life.alive]
            good = [one for one in there if one in counted]
            if there:
                check_recovery(name, version, good, self.options.replicas, RECOVERY_S)

    def _check_calm(self) -> None:
        self.master.core.validate()
        check_trace(self.master.core, self.outcome.trace)
        current = list(self.ledger.current().values())
        for keeper in self.keepers.values():
            wanted = dict.fromkeys(name for version in current for name in (version + DATA, version + CHECKSUMS))
            check_leftovers(keeper.name, [name for name in keeper.disk.names if name not in wanted])
        for name, version in self.ledger.current().items():
            copies = [one for one, keeper in self.keepers.items() if version + DATA in keeper.disk.names]
            if len(copies) != self.options.replicas:
                what = f"{name!r} ({version}) is on {len(copies)} disks ({', '.join(copies)})"
                raise Broken(Guarantee.TIDY, what, file_name=name, version=version)


_CHANCES = ("options", "network", "master", "keepers", "clients", "workload", "faults", "healing")
"""What has a chance of its own, so that leaving one fault out changes the others' as little as possible."""


def simulate(settings: Settings) -> Outcome:
    """Live through one history and return what came of it."""
    return Simulation(settings).run()


__all__ = ["MASTER", "Outcome", "Settings", "Simulation", "simulate"]
