"""The nemesis: what to break or mend next, drawn from a seed and from what is wrong already.

It only decides. `dfslab.lab.nemesis` asks it once every few seconds and does what it says. Each fault
that it begins gets a number of steps to last, and is ended after them; never are more keepers broken
than the guard allows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from dfslab.core.errors import InvalidOption, TooManyFaults
from dfslab.core.faults import BREAKING, Action
from dfslab.core.guard import Standing, check_guard
from dfslab.core.links import Link
from dfslab.core.nodes import CLIENT, MASTER

MOST_STEPS = 3
"""A fault lasts so many steps at most."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """A corrupt replica is to be found: there is no action that mends it, the file system does once it knows."""

    name: str
    keeper: str


Move = Action | Discovery


@dataclass(slots=True)
class _Fault:
    """A fault of the nemesis's own and the steps that it has left."""

    action: Action
    left: int

    @property
    def keeper(self) -> str:
        return str(self.action.arguments.get("keeper", self.action.arguments.get("node", "")))


def check_kinds(kinds: Collection[str] | None) -> tuple[str, ...]:
    """Return the kinds of faults to choose from, all for None; raise InvalidOption naming `kinds`."""
    if kinds is None:
        return BREAKING
    given = [kinds] if isinstance(kinds, str) else kinds
    chosen = [kind for kind in BREAKING if kind in given] if isinstance(given, Collection) else []
    if not chosen or any(kind not in BREAKING for kind in given):
        reason = f"it must name some of {', '.join(BREAKING)}"
        raise InvalidOption(option="kinds", value=repr(kinds), reason=reason)
    return tuple(chosen)


class Nemesis:
    """A seeded spirit of contradiction.

    The same seed, asked with the same standings and files, makes the same moves.

    Parameters
    ----------
    kinds : collection of str, optional
        Some of `BREAKING`; by default all.
    seed : int, optional
    replicas : int
        Copies of each file: at most `replicas - 1` keepers are broken at once.
    link : Link
        What a keeper's link is set to in the end.
    force : bool
        Break as many as there are.
    """

    def __init__(
        self,
        kinds: Collection[str] | None = None,
        *,
        seed: int | None = None,
        replicas: int = 3,
        link: Link | None = None,
        force: bool = False,
    ) -> None:
        self.kinds = check_kinds(kinds)
        self._rng = random.Random(seed)
        self._replicas, self._link, self._force = replicas, link or Link(), force
        self._mine: list[_Fault] = []

    def next(self, standing: Standing, holders: Mapping[str, Sequence[str]]) -> Move | None:
        """Return what to do now, or None when there is nothing.

        Parameters
        ----------
        standing : Standing
            What is wrong, by its own hand and by others'.
        holders : mapping
            The keepers with a good copy, by the name of each file that is not empty.
        """
        self._mine = [fault for fault in self._mine if _lasts(fault, standing)]
        for fault in self._mine:
            fault.left -= 1
        if self._may_break(standing) and all(fault.left > 0 for fault in self._mine):
            action = self._break(replace(standing, corrupt=self._corrupt()), holders)
            if action is not None:
                self._mine.append(_Fault(action, self._rng.randint(1, MOST_STEPS)))
                return action
        return self._end(standing)

    def refused(self, action: Action) -> None:
        """Forget a fault that could not be begun: something else broke meanwhile."""
        self._mine = [fault for fault in self._mine if fault.action is not action]

    def _may_break(self, standing: Standing) -> bool:
        most = len(standing.keepers) if self._force else max(1, self._replicas - 1)
        return len(self._mine) < most

    def _corrupt(self) -> tuple[str, ...]:
        """Return where its own damage is: who else reads it, and when it is replaced, would make the moves differ."""
        return tuple(fault.keeper for fault in self._mine if fault.action.kind == "corrupt")

    def _break(self, standing: Standing, holders: Mapping[str, Sequence[str]]) -> Action | None:
        for kind in self._rng.sample(self.kinds, len(self.kinds)):
            action = _CHOICES[kind](self, standing, holders)
            if action is not None and (self._force or self._is_allowed(standing, action)):
                return action
        return None

    def _is_allowed(self, standing: Standing, action: Action) -> bool:
        try:
            check_guard(standing, action, self._replicas)
        except TooManyFaults:
            return False
        return True

    # -- what to break ------------------------------------------------------------------------

    def _on_one(self, kind: str, keepers: Sequence[str]) -> Action | None:
        return Action(kind, {"keeper": self._rng.choice(keepers)}) if keepers else None

    def _kill(self, standing: Standing, holders: Mapping[str, Sequence[str]]) -> Action | None:
        return self._on_one("kill", _running(standing))

    def _pause(self, standing: Standing, holders: Mapping[str, Sequence[str]]) -> Action | None:
        return self._on_one("pause", _running(standing))

    def _fill_disk(self, standing: Standing, holders: Mapping[str, Sequence[str]]) -> Action | None:
        return self._on_one("fill_disk", [one for one in _running(standing) if one not in standing.full])

    def _drop_heartbeats(self, standing: Standing, holders: Mapping[str, Sequence[str]]) -> Action | None:
        return self._on_one("drop_heartbeats", [one for one in _running(standing) if one not in standing.muted])

    def _kill_master(self, standing: Standing, holders: Mapping[str, Sequence[str]]) -> Action | None:
        return None if MASTER in standing.dead else Action("kill_master")

    def _partition(self, standing: Standing, holders: Mapping[str, Sequence[str]]) -> Action | None:
        """Cut some keepers off from all others and the master; one partition at a time, since all heal together."""
        if standing.cuts or len(standing.keepers) < 2:
            return None
        room = len(standing.keepers) - 1 if self._force else self._replicas - 1 - len(standing.broken())
        if room < 1:
            return None
        away = self._rng.sample(standing.keepers, self._rng.randint(1, min(room, len(standing.keepers) - 1)))
        rest = [keeper for keeper in standing.keepers if keeper not in away]
        one_way = self._rng.random() < 0.25
        return Action("partition", {"a": away, "b": [*rest, MASTER], **({"one_way": True} if one_way else {})})

    def _set_link(self, standing: Standing, holders: Mapping[str, Sequence[str]]) -> Action | None:
        """Make a keeper slow, far away or unreliable."""
        able = [keeper for keeper in standing.keepers if (keeper, "") not in standing.links]
        if not able:
            return None
        delay_ms = self._rng.choice((20.0, 50.0, 100.0))
        changes = self._rng.choice(
            ({"rate_mb_s": 5.0}, {"delay_ms": delay_ms, "jitter_ms": delay_ms / 2}, {"loss": 0.1})
        )
        return Action("set_link", {"node": self._rng.choice(able), **changes})

    def _corrupt_one(self, standing: Standing, holders: Mapping[str, Sequence[str]]) -> Action | None:
        """Damage one copy of a file that has all of its copies, so that good ones are left."""
        running = _running(standing)
        able = [
            (name, [keeper for keeper in those if keeper in running and keeper not in standing.corrupt])
            for name, those in sorted(holders.items())
            if len(those) >= max(2, self._replicas)
        ]
        able = [(name, those) for name, those in able if those]
        if not able:
            return None
        name, those = self._rng.choice(able)
        keeper, how = self._rng.choice(sorted(those)), self._rng.choice(("bitflip", "truncate"))
        return Action("corrupt", {"name": name, "keeper": keeper, "how": how})

    # -- what to end --------------------------------------------------------------------------

    def _end(self, standing: Standing) -> Move | None:
        """End the fault that is due, or else the oldest; what needs the master waits until it is back."""
        for fault in sorted(self._mine, key=lambda fault: fault.left > 0):
            if fault.action.kind in ("kill", "corrupt") and MASTER in standing.dead:
                continue
            if fault.action.kind == "corrupt" and standing.separated(CLIENT, MASTER):
                continue
            self._mine.remove(fault)
            return self._undo(fault)
        return None

    def _undo(self, fault: _Fault) -> Move:
        kind, keeper = fault.action.kind, {"keeper": fault.keeper}
        match kind:
            case "partition":
                return Action("heal")
            case "kill_master":
                return Action("restart_master")
            case "set_link":
                return Action("set_link", {"node": fault.keeper, **self._link.as_dict()})
            case "corrupt":
                return Discovery(str(fault.action.arguments["name"]), fault.keeper)
        return Action(UNDONE_BY[kind], keeper)


UNDONE_BY = {
    "kill": "restart",
    "pause": "resume",
    "fill_disk": "free_disk",
    "drop_heartbeats": "restore_heartbeats",
}
"""What ends a fault of one keeper."""

_CHOICES: dict[str, Callable[[Nemesis, Standing, Mapping[str, Sequence[str]]], Action | None]] = {
    "kill": Nemesis._kill,
    "pause": Nemesis._pause,
    "partition": Nemesis._partition,
    "set_link": Nemesis._set_link,
    "corrupt": Nemesis._corrupt_one,
    "fill_disk": Nemesis._fill_disk,
    "drop_heartbeats": Nemesis._drop_heartbeats,
    "kill_master": Nemesis._kill_master,
}


def _running(standing: Standing) -> list[str]:
    return [one for one in standing.keepers if one not in standing.dead and one not in standing.paused]


def _lasts(fault: _Fault, standing: Standing) -> bool:
    """Return False when somebody else has ended a fault already."""
    keeper = fault.keeper
    if keeper and keeper not in standing.keepers:
        return False
    return {
        "kill": keeper in standing.dead,
        "pause": keeper in standing.paused,
        "partition": bool(standing.cuts),
        "set_link": (keeper, "") in standing.links,
        "corrupt": True,
        "fill_disk": keeper in standing.full,
        "drop_heartbeats": keeper in standing.muted,
        "kill_master": MASTER in standing.dead,
    }[fault.action.kind]
