"""What goes wrong in a simulated world, and when: drawn from the seed, apart from all other chance.

Each fault has a number. A history can be replayed with some of them only, which is how a failure is cut
down to what it takes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dfslab.core.keeper.shelf import CHECKSUMS, DATA
from dfslab.core.nodes import MASTER

if TYPE_CHECKING:
    from dfslab.sim.keeper import SimKeeper
    from dfslab.sim.simulation import Simulation

Undo = Callable[[], None]
Struck = tuple[str, Undo]
"""What was hit, in words, and what ends it."""
Strike = Callable[["Simulation", random.Random], "Struck | None"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes
    ----------
    number : int
    at_s, lasts_s : float
        When it begins, and for how long, seconds of virtual time.
    kind : str
        A key of `KINDS`.
    draw : int
        What its own choices (which node, which replica) are made from.
    """

    number: int
    at_s: float
    lasts_s: float
    kind: str
    draw: int

    def __str__(self) -> str:
        return f"{self.number}: {self.kind} at {self.at_s:.2f} s for {self.lasts_s:.2f} s"


def schedule(rng: random.Random, mean_gap_s: float) -> Iterator[Fault]:
    """Yield faults without end, in the order of their times."""
    kinds, weights = list(KINDS), [weight for weight, _ in KINDS.values()]
    at_s, number = 0.5, 0
    while True:
        at_s += rng.expovariate(1.0) * mean_gap_s
        (kind,) = rng.choices(kinds, weights)
        yield Fault(number, at_s, 0.05 + rng.expovariate(1.0) * 3.0, kind, rng.getrandbits(32))
        number += 1


def strike(sim: Simulation, fault: Fault) -> Struck | None:
    """Let a fault happen; return what was hit and what ends it, or None when there was nothing to hit."""
    return KINDS[fault.kind][1](sim, random.Random(fault.draw))


def _pick(sim: Simulation, rng: random.Random, *, alive: bool = True) -> SimKeeper | None:
    keepers = [one for one in sim.keepers.values() if one.life.alive == alive and one.name not in sim.leaving]
    return rng.choice(keepers) if keepers else None


# -- processes ------------------------------------------------------------------------------------


def _kill(sim: Simulation, rng: random.Random) -> Struck | None:
    keeper = _pick(sim, rng)
    if keeper is None:
        return None
    keeper.life.end()
    return keeper.name, lambda: sim.boot(keeper)


def _lose_power(sim: Simulation, rng: random.Random) -> Struck | None:
    keeper = _pick(sim, rng)
    if keeper is None:
        return None
    keeper.life.end()
    keeper.disk.lose_power()
    return keeper.name, lambda: sim.boot(keeper)


def _lose_all_power(sim: Simulation, rng: random.Random) -> Struck | None:
    """Everything goes down together, and comes back together (FAULTS 36)."""
    for keeper in sim.keepers.values():
        keeper.life.end()
        keeper.disk.lose_power()
    sim.master.life.end()

    def back() -> None:
        sim.boot_master()
        for keeper in sim.keepers.values():
            sim.boot(keeper)

    return "everything", back


def _freeze(sim: Simulation, rng: random.Random) -> Struck | None:
    keeper = _pick(sim, rng)
    if keeper is None or keeper.life.is_frozen:
        return None
    life = keeper.life
    life.freeze()
    return keeper.name, life.thaw


def _freeze_master(sim: Simulation, rng: random.Random) -> Struck | None:
    life = sim.master.life
    if not life.alive or life.is_frozen:
        return None
    life.freeze()
    return MASTER, life.thaw


def _kill_master(sim: Simulation, rng: random.Random) -> Struck | None:
    if not sim.master.life.alive:
        return None
    sim.master.life.end()
    return MASTER, sim.boot_master


def _kill_client(sim: Simulation, rng: random.Random) -> Struck | None:
    client = rng.choice(list(sim.clients.values()))
    if not client.life.alive:
        return None
    client.life.end()
    sim.workload.killed(client)

    def back() -> None:
        if sim.workload.going_on:
            sim.boot_client(client)

    return client.name, back


# -- the network ----------------------------------------------------------------------------------


def _cut(sim: Simulation, *paths: tuple[str, str]) -> Struck:
    for path in paths:
        sim.network.cut(*path)

    def heal() -> None:
        for path in paths:
            sim.network.heal(*path)

    return ", ".join(f"{source} -> {target}" for source, target in paths), heal


def _cut_off(sim: Simulation, rng: random.Random) -> Struck | None:
    """A keeper from everybody, or only to or from the master (FAULTS 22, 23)."""
    keeper = rng.choice(list(sim.keepers))
    to, back = (keeper, MASTER), (MASTER, keeper)
    everybody = [*sim.keepers, MASTER, *sim.clients]
    alone = [path for other in everybody if other != keeper for path in ((keeper, other), (other, keeper))]
    return _cut(sim, *rng.choice([[to], [back], [to, back], alone]))


def _cut_a_pair(sim: Simulation, rng: random.Random) -> Struck | None:
    a, b = rng.sample([*sim.keepers, *sim.clients], 2)
    return _cut(sim, *rng.choice([[(a, b)], [(a, b), (b, a)]]))


def _cut_a_client_off(sim: Simulation, rng: random.Random) -> Struck | None:
    client = rng.choice(list(sim.clients))
    return _cut(sim, (client, MASTER), (MASTER, client))


def _weather(attribute: str, bad: Callable[[random.Random], float]) -> Strike:
    def strike(sim: Simulation, rng: random.Random) -> Struck:
        worse = max(getattr(sim.network, attribute), bad(rng))
        setattr(sim.network, attribute, worse)
        return f"{attribute} {worse:g}", lambda: setattr(sim.network, attribute, sim.calm[attribute])

    return strike


def _slow_down(sim: Simulation, rng: random.Random) -> Struck | None:
    keeper = rng.choice(list(sim.keepers))
    sim.network.slow_down(keeper, rng.choice([20.0, 200.0]))
    return keeper, lambda: sim.network.slow_down(keeper, None)


# -- disks ----------------------------------------------------------------------------------------


def _fill(sim: Simulation, rng: random.Random) -> Struck | None:
    keeper = rng.choice(list(sim.keepers.values()))
    disk = keeper.disk
    disk.is_full = True

    def free() -> None:
        disk.is_full = False

    return keeper.name, free


def _fill_masters(sim: Simulation, rng: random.Random) -> Struck | None:
    sim.catalog.is_full = True

    def free() -> None:
        sim.catalog.is_full = False

    return MASTER, free


def _fail_a_sync(sim: Simulation, rng: random.Random) -> Struck | None:
    keeper = rng.choice(list(sim.keepers.values()))
    disk = keeper.disk
    disk.failing_syncs += 1
    disk.sound_syncs = rng.randrange(4)  # a publishing takes three of them

    def mend() -> None:
        disk.failing_syncs = disk.sound_syncs = 0

    return keeper.name, mend


def _rot(sim: Simulation, rng: random.Random) -> Struck | None:
    """A bit flips, a file is cut short, checksums are lost: of a replica that is not the last but one."""
    keeper = rng.choice(list(sim.keepers.values()))
    there = sorted(name.removesuffix(DATA) for name in keeper.disk.names if name.endswith(DATA))
    able = [one for one in there if sim.ledger.may_lose(keeper, one, sim.options.replicas)]
    able = [one for one in able if sim.ledger.was_durable(keeper, one)]  # what is not yet, nobody has acknowledged
    if not able:
        return None
    version, part = rng.choice(able), rng.choice([DATA, DATA, CHECKSUMS])
    if version + part not in keeper.disk.names:
        return None
    sim.ledger.harm(keeper, version)
    how = rng.choice(["bitflip", "truncate"])
    keeper.disk.rot(version + part, how)
    return f"{keeper.name}, {how} of {version}{part}", _nothing


def _may_lose_all(sim: Simulation, keeper: SimKeeper) -> bool:
    there = [name.removesuffix(DATA) for name in keeper.disk.names if name.endswith(DATA)]
    return all(sim.ledger.may_lose(keeper, version, sim.options.replicas) for version in there)


def _replace_disk(sim: Simulation, keeper: SimKeeper, content: Mapping[str, bytes]) -> Struck:
    keeper.life.end()
    for name in keeper.disk.names:
        sim.ledger.harm(keeper, name.split(".")[0])
    keeper.disk.restore(dict(content))
    return keeper.name, lambda: sim.boot(keeper)


def _wipe(sim: Simulation, rng: random.Random) -> Struck | None:
    keeper = _pick(sim, rng)
    if keeper is None or not _may_lose_all(sim, keeper):
        return None
    return _replace_disk(sim, keeper, {})


def _back_up(sim: Simulation, rng: random.Random) -> Struck | None:
    for keeper in sim.keepers.values():
        keeper.old_disk = keeper.disk.snapshot()
    return "all", _nothing


def _turn_back(sim: Simulation, rng: random.Random) -> Struck | None:
    keeper = _pick(sim, rng)
    if keeper is None or not keeper.old_disk or not _may_lose_all(sim, keeper):
        return None
    return _replace_disk(sim, keeper, keeper.old_disk)


def _nothing() -> None:
    """End what does not end by itself: damage stays until it is found."""


KINDS: dict[str, tuple[int, Strike]] = {
    "keeper killed": (10, _kill),
    "keeper loses power": (8, _lose_power),
    "everything loses power": (1, _lose_all_power),
    "keeper frozen": (8, _freeze),
    "master frozen": (2, _freeze_master),
    "master killed": (6, _kill_master),
    "client killed": (3, _kill_client),
    "keeper cut off": (8, _cut_off),
    "pair cut": (6, _cut_a_pair),
    "client cut off": (2, _cut_a_client_off),
    "messages lost": (5, _weather("loss", lambda rng: rng.choice([0.02, 0.2]))),
    "messages repeated": (4, _weather("repeat", lambda rng: 0.3)),
    "messages late": (5, _weather("delay_s", lambda rng: rng.choice([0.05, 0.4]))),
    "keeper slow": (4, _slow_down),
    "keeper's disk full": (3, _fill),
    "master's disk full": (2, _fill_masters),
    "sync fails": (4, _fail_a_sync),
    "replica rots": (15, _rot),
    "disk wiped": (2, _wipe),
    "disks backed up": (3, _back_up),
    "older disk restored": (2, _turn_back),
}
"""What may happen, how likely it is, and what it does."""
