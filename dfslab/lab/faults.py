"""Breaking a cluster: by hand, as data, by a scenario, by a nemesis; and mending all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from dfslab.core.checks import check_flag, check_moment, check_positive
from dfslab.core.errors import ClusterClosed, DfsError, InvalidOption
from dfslab.core.faults import BREAKING, Action
from dfslab.core.guard import Standing, check_guard
from dfslab.core.nodes import MASTER
from dfslab.core.scenario import steps_of_trace
from dfslab.lab.background import Background
from dfslab.lab.disk_faults import DiskFaults
from dfslab.lab.network_faults import NetworkFaults
from dfslab.lab.node_faults import NodeFaults
from dfslab.lab.plan import Plan, check_seed
from dfslab.lab.scenario import Scenario

if TYPE_CHECKING:
    from dfslab.lab.nemesis import Nemesis
    from dfslab.lab.playing import Playing


class Faults(NodeFaults, NetworkFaults, DiskFaults):
    """Every fault as a method, and what carries out faults that are given as data.

    The methods (`kill`, `partition`, `corrupt`, ...) do what they are told, however much is broken
    already. `perform`, `play` and `nemesis` refuse to break more than `replicas - 1` keepers at once
    unless they are given `force=True`; `dfslab.core.guard` says what counts as broken.

    Examples
    --------
    >>> import dfslab
    >>> cluster = dfslab.cluster.start(n=4, name="faults-example")
    >>> info = cluster.upload(b"some bytes", name="a.bin", ack_replicas=3)
    >>> with cluster.kill(2), cluster.partition([1], ["master", 3, 4]):
    ...     cluster.perform(dfslab.Action("pause", {"keeper": 3}))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    dfslab.core.errors.TooManyFaults: cluster.pause("keeper-3") is refused: keeper-1 (cut off), keeper-2 (dead), ...
    >>> for step in cluster.scenario():
    ...     print(step.action.python)
    cluster.kill("keeper-2")
    cluster.partition(["keeper-1"], ["master", "keeper-3", "keeper-4"], one_way=False)
    cluster.heal()
    cluster.restart("keeper-2", wipe=False)
    >>> cluster.close()
    """

    def __init__(self, plan: Plan) -> None:
        self._players: list[Background] = []
        self._guard_lock = threading.Lock()
        super().__init__(plan)

    def close(self) -> None:
        """Stop the nemesis and the scenarios that are being played, then every node; see `Running.close`."""
        for player in list(self._players):
            player.signal()
        super().close()
        for player in self._players:
            player.wait()

    def _launch(self, player: Background) -> None:
        """Start something that acts on the cluster by itself, so that `close` can end it."""
        with self._changing():
            self._players = [one for one in self._players if one.is_running]
            self._players.append(player)
            player.start()

    # -- actions as data ----------------------------------------------------------------------

    def perform(self, action: Action, force: bool = False) -> Any:
        """Carry out an action: the one way for clicks, scenarios and the nemesis.

        Parameters
        ----------
        action : dfslab.Action
            Such as ``dfslab.Action("kill", {"keeper": 3})``.
        force : bool
            Do it also when more than `replicas - 1` keepers would be broken at once.

        Returns
        -------
        object
            What the method of that name returns.

        Raises
        ------
        TooManyFaults
            Nothing was done.
        DfsError
            What the method raises.
        """
        self._check_open()
        if not isinstance(action, Action):
            raise InvalidOption(option="action", value=repr(action), reason="it must be a dfslab.Action")
        method: Callable[..., Any] = getattr(self, action.kind)
        if check_flag("force", force) or action.kind not in BREAKING:
            return method(**action.arguments)
        named = self._named(action)
        with self._guard_lock:  # two at once must not both find room for one more
            check_guard(self._standing(), named, self._options.replicas)
            if named.kind == "corrupt":  # a client may have overwritten the file a moment ago
                return self._corrupt(**named.arguments, least=min(2, self._options.replicas))
            return method(**named.arguments)

    def _named(self, action: Action) -> Action:
        """Return the action with its nodes given by their names."""
        arguments = dict(action.arguments)
        for option in ("keeper", "node", "other"):
            if arguments.get(option) is not None:
                arguments[option] = self._node(arguments[option])
        for option in ("a", "b"):
            if option in arguments:
                arguments[option] = list(self._side(option, arguments[option]))
        return Action(action.kind, arguments)

    # -- mending ------------------------------------------------------------------------------

    def heal_all(self) -> None:
        """Undo everything that is still wrong.

        Partitions are healed, links as they were at the start, heartbeats heard, disks free, the
        master and the keepers up and running, and damage is found. It does not wait until the files
        are back: `wait_for_recovery` does.

        Raises
        ------
        DfsError
            The first thing that could not be mended; the others were all the same.
        """
        self._check_open()
        self._mend(self._mends(self._standing()))

    def _mend(self, mends: Iterable[Callable[[], object]]) -> None:
        errors: list[DfsError] = []
        for mend in mends:
            try:
                mend()
            except ClusterClosed:
                raise
            except DfsError as error:
                errors.append(error)
        if errors:
            for other in errors[1:]:
                errors[0].add_note(f"and: {other}")
            raise errors[0]

    def _mends(self, standing: Standing) -> Iterator[Callable[[], object]]:
        """Yield what is to be done: the network first, over which nodes register, then the master, then the keepers."""
        if standing.cuts:
            yield self._heal_if_any
        yield from (partial(self._put_link_back, ends, None) for ends in standing.links)
        yield from (partial(self._restore_if_muted, name) for name in standing.muted)
        yield from (partial(self._free_if_full, name) for name in standing.full)
        if MASTER in standing.dead:
            yield self._restart_master_if_dead
        yield from (partial(self._resume_if_paused, name) for name in standing.paused)
        yield from (partial(self._restart_if_dead, name) for name in standing.dead if name != MASTER)
        yield from (partial(self._discover, damage) for damage in list(self._damages))

    # -- scenarios ----------------------------------------------------------------------------

    def scenario(self, since_s: float = 0.0) -> Scenario:
        """Return what was done to the cluster so far, by calls, clicks, scenarios and the nemesis alike.

        Parameters
        ----------
        since_s : float
            Only from this time of the trace on, seconds since the cluster started (`now_s`); the
            scenario's own times begin there.

        Returns
        -------
        Scenario
            Its times are lesson time: those of the trace, times the cluster's `speed`. A trace holds
            200,000 events; what has fallen out of it is not in the scenario.

        Raises
        ------
        InvalidOption
            `since_s` is before the start or in the future.
        """
        self._check_open()
        check_moment("since_s", since_s, self.now_s)
        return Scenario(steps_of_trace(self._recorder.events(), speed=self.setup.speed, since_s=since_s))

    def play(self, scenario: Scenario | Iterable[Any], force: bool = False, wait: bool = True) -> Playing:
        """Do what a scenario says, each step at its time.

        All of it is checked before the first step is done.

        Parameters
        ----------
        scenario : Scenario
            Or what one is made of.
        force : bool
            Do also what would break more than `replicas - 1` keepers at once.
        wait : bool
            Return when the last step is done; else at once.

        Returns
        -------
        Playing
            Has `stop()`, `join()` and the number of steps `done`.

        Raises
        ------
        InvalidOption
            Naming the step and its part, such as `scenario[3].action`; nothing was done.
        DfsError
            A step failed, TooManyFaults among others; those after it were not done.
        """
        self._check_open()
        from dfslab.lab.playing import Playing, check_nodes  # with the first scenario, not with `import dfslab`

        steps = scenario if isinstance(scenario, Scenario) else Scenario(scenario)
        check_nodes(steps, list(self._nodes.states()), list(self._clients))
        playing = Playing(self, steps, force=force)
        self._launch(playing)
        if wait:
            try:
                playing.join()
            finally:
                playing.signal()  # an interrupt ends it
        return playing

    # -- the nemesis --------------------------------------------------------------------------

    def nemesis(
        self,
        kinds: Collection[str] | None = None,
        *,
        every_s: float = 3.0,
        seed: int | None = None,
        force: bool = False,
    ) -> Nemesis:
        """Let something random break now and then; each fault ends again after a while.

        Parameters
        ----------
        kinds : list of str, optional
            What it may do, of "kill", "pause", "partition", "set_link", "corrupt", "fill_disk",
            "drop_heartbeats" and "kill_master"; by default all.
        every_s : float
            Time between its steps, seconds of lesson time (divided by the cluster's `speed`).
        seed : int, optional
            The same seed does the same to the same cluster with the same files.
        force : bool
            Break more than `replicas - 1` keepers at once, too.

        Returns
        -------
        Nemesis
            `stop()` mends everything and waits for recovery, as does leaving a `with` block; links that
            it did not change stay as they were set. `actions` is what it did, as a scenario.

        Raises
        ------
        InvalidOption
            Naming the argument; nothing was started.
        """
        self._check_open()
        from dfslab.core import nemesis as core  # with the first nemesis, not with `import dfslab`
        from dfslab.lab.nemesis import Nemesis

        mind = core.Nemesis(
            kinds, seed=check_seed(seed), replicas=self._options.replicas, link=self.setup.link, force=force
        )
        nemesis = Nemesis(self, mind, every_s=check_positive("every_s", every_s), force=force)
        self._launch(nemesis)
        return nemesis

    def _good_copies(self) -> dict[str, list[str]]:
        """Return the live keepers with a good copy, by the name of each file that is not empty."""
        table = self._recorder.table()
        return {file.file_name: table.live_holders(file.version) for file in table.files.values() if file.size}
