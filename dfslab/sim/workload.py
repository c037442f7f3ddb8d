"""What the clients of a simulated world do, and what they saw."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dfslab.core.errors import DfsError, NoSuchFile
from dfslab.core.guarantees import Broken, Guarantee, check_download
from dfslab.core.master.instructions import Slot
from dfslab.core.model import FileInfo
from dfslab.sim.client import SimClient
from dfslab.sim.linearizability import NOTHING, Operation
from dfslab.sim.loop import Process

if TYPE_CHECKING:
    from dfslab.sim.simulation import Simulation

NAMES = ("a.mp4", "b.mp4", "course/c.mp4", "course/d.mp4", "e")
ACTS = {"upload": 50, "download": 30, "stat": 12, "delete": 6, "rename": 2}


@dataclass
class _Act:
    """What a client is about at the moment."""

    what: str
    began_s: float
    name: str = ""
    versions: list[str] = field(default_factory=list)


class Workload:
    """The clients' acts, one after another each, and the history of what they saw by name.

    Attributes
    ----------
    history : dict of str to list of Operation
    """

    def __init__(self, sim: Simulation, rng: random.Random) -> None:
        self._sim, self._rng = sim, rng
        self.history: dict[str, list[Operation]] = {name: [] for name in NAMES}
        self.blurred: dict[str, None] = {}
        self._under_way: dict[str, _Act] = {}
        self.going_on = True
        self._acted = 0

    @property
    def pending(self) -> list[str]:
        """What has been begun and has not ended, in words."""
        return [f"{client}'s {act.what} of {act.began_s:.2f} s" for client, act in self._under_way.items()]

    def live(self, client: SimClient) -> Process:
        """Act and rest, until it is told to stop."""
        rng = random.Random(self._rng.getrandbits(64))
        acts: dict[str, Callable[[SimClient, random.Random], Process]] = {
            "upload": self._upload,
            "download": self._download,
            "stat": self._stat,
            "delete": self._delete,
            "rename": self._rename,
        }
        while self.going_on:
            yield rng.expovariate(1.0) * self._sim.think_s
            (act,) = rng.choices(list(ACTS), list(ACTS.values()))
            self._under_way[client.name] = _Act(act, self._sim.loop.now)
            yield from acts[act](client, rng)
            del self._under_way[client.name]

    def killed(self, client: SimClient) -> None:
        """Note that a client has died: nobody knows what became of what it was about."""
        act = self._under_way.pop(client.name, None)
        if act is None:
            return
        if act.what == "upload":
            for version in act.versions:
                self._note(act.name, "write", version, act.began_s, client.name, known=False)
        elif act.what == "delete":
            self._note(act.name, "write", NOTHING, act.began_s, client.name, known=False)
        elif act.what == "rename":
            self.blurred.update(dict.fromkeys(NAMES))

    def _about(self, client: SimClient, name: str) -> _Act:
        act = self._under_way[client.name]
        act.name = name
        return act

    def _note(self, name: str, kind: str, value: str, began_s: float, client: str, *, known: bool = True) -> None:
        ended_s = self._sim.loop.now if known else math.inf
        self.history[name].append(Operation(kind, value, began_s, ended_s, client))

    def _upload(self, client: SimClient, rng: random.Random) -> Process:
        sim, name = self._sim, rng.choice(NAMES)
        self._acted += 1
        size = rng.choice([0, 1, 15, 16, 17, 40, 100])
        content = (f"{self._acted}:".encode() + rng.randbytes(size))[:size] if size else b""
        ack_replicas = rng.choice([1, 1, 1, 2, 3])
        act = self._about(client, name)

        def on_slot(slot: Slot) -> None:
            sim.ledger.content.setdefault(slot.version, content)
            act.versions.append(slot.version)

        try:
            info: FileInfo = yield from client.upload(name, content, ack_replicas, on_slot)
        except DfsError as error:
            sim.count_outcome("upload", error)
            self._note_failed_upload(act, client.name, error)
        else:
            sim.count_outcome("upload", None)
            sim.ledger.on_acknowledged(name, info, ack_replicas)
            self._note(name, "write", info.version, act.began_s, client.name)

    def _note_failed_upload(self, act: _Act, client: str, error: DfsError) -> None:
        """A failed upload may have made one version at most, if its error does not say that it made none."""
        if error.definite:
            self._sim.refused_versions.update(dict.fromkeys(act.versions, (act.name, str(error))))
            return
        for version in act.versions:
            self._note(act.name, "write", version, act.began_s, client, known=False)

    def _download(self, client: SimClient, rng: random.Random) -> Process:
        sim, name = self._sim, rng.choice(NAMES)
        began_s = sim.loop.now
        try:
            version, got = yield from client.download(name)
        except NoSuchFile:
            sim.count_outcome("download", None)
            self._note(name, "read", NOTHING, began_s, client.name)
        except DfsError as error:
            sim.count_outcome("download", error)
        else:
            sim.count_outcome("download", None)
            check_download(name, version.id, got, sim.ledger.content.get(version.id))
            self._note(name, "read", version.id, began_s, client.name)

    def _stat(self, client: SimClient, rng: random.Random) -> Process:
        name = rng.choice(NAMES)
        began_s = self._sim.loop.now
        try:
            info: FileInfo = yield from client.stat(name)
        except NoSuchFile:
            self._note(name, "read", NOTHING, began_s, client.name)
        except DfsError as error:
            self._sim.count_outcome("stat", error)
        else:
            self._note(name, "read", info.version, began_s, client.name)

    def _delete(self, client: SimClient, rng: random.Random) -> Process:
        name = rng.choice(NAMES)
        began_s = self._about(client, name).began_s
        try:
            yield from client.delete(name)
        except NoSuchFile:
            self._note(name, "read", NOTHING, began_s, client.name)
        except DfsError as error:
            self._sim.count_outcome("delete", error)
            if not error.definite:
                self._note(name, "write", NOTHING, began_s, client.name, known=False)
        else:
            self._note(name, "write", NOTHING, began_s, client.name)

    def _rename(self, client: SimClient, rng: random.Random) -> Process:
        old, new = rng.sample(NAMES, 2)
        began_s = self._sim.loop.now
        try:
            info: FileInfo = yield from client.rename(old, new)
        except DfsError as error:
            self._sim.count_outcome("rename", error)
            if not error.definite:  # nobody knows which version it would have moved
                self.blurred.update({old: None, new: None})
        else:
            self._note(old, "write", NOTHING, began_s, client.name)
            self._note(new, "write", info.version, began_s, client.name)

    def look_at_every_name(self) -> None:
        """Note what every name means now, for the history to explain: nothing that was answered may be forgotten."""
        current = {info.name: info.version for info in self._sim.master.core.files()}
        for name in NAMES:
            self._note(name, "read", current.get(name, NOTHING), self._sim.loop.now, "the end")

    def check_honesty(self) -> None:
        """An upload whose error said that nothing was stored has stored nothing."""
        for version, (name, error) in self._sim.refused_versions.items():
            if version in self._sim.ledger.committed:
                what = f"an upload of {name!r} failed with {error!r}, and became {version} all the same"
                raise Broken(Guarantee.HONEST, what, file_name=name, version=version)
