"""A running cluster: its root, its nodes, its trace and its client; made whole or not at all, ended by `close`."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dfslab.client import Client
from dfslab.core.errors import CatalogDamaged, ClusterClosed, InvalidOption, WrongDirectory
from dfslab.core.model import Address
from dfslab.core.nodes import CLIENT, LAB, MASTER, keeper_name
from dfslab.core.trace import Kind, Tracer
from dfslab.lab.launching import launcher_of
from dfslab.lab.nodes import Nodes, NodeState
from dfslab.lab.plan import Plan
from dfslab.lab.temporary_root import TemporaryRoot
from dfslab.runtime.clock import Clock
from dfslab.runtime.keeper_node import KeeperSettings
from dfslab.runtime.network import Network
from dfslab.runtime.recorder import Recorder
from dfslab.runtime.storage import read_identity, write_identity

if TYPE_CHECKING:
    from dfslab.runtime.master_node import MasterSettings
    from dfslab.runtime.tls import Authority, NodeTls

MIN_TOKEN_LENGTH = 32


class Running:
    """What every part of `Cluster` works on. When its making fails, whatever had been started is stopped again."""

    def __init__(self, plan: Plan) -> None:
        self.name = plan.name
        self._options, self.setup = plan.options, plan.setup
        self._temporary_root: TemporaryRoot | None = None
        self._closing = self._closed = False
        self._close_lock = threading.Lock()
        with contextlib.ExitStack() as undo:
            self.root = self._make_root(plan, undo)
            self.token = _token_of(self.root)
            self._authority = self._make_authority(plan)
            _check_catalog(self.root)
            self._clock = Clock()
            _keep_earlier_trace(self.root)
            self._recorder = Recorder(self.root / "trace.jsonl")
            undo.callback(self._recorder.close)
            self._tracer = Tracer(LAB, secrets.token_hex(2))
            self._recorder.add(self._tracer.event(Kind.CLUSTER_STARTED, self._clock.now(), **self.setup.as_detail()))
            self._network = Network(plan.seed)
            undo.callback(self._network.close)
            self._launcher = launcher_of(
                plan.isolation,
                self._clock,
                self._recorder,
                self._network,
                name=plan.name,
                seed=plan.seed,
                policies=plan.policy_names,
            )
            undo.callback(self._launcher.close)
            self._launcher.expect(1 + plan.n)
            self._nodes = Nodes(
                self.root,
                self._master_settings(plan),
                self._keeper_settings(plan),
                self._clock,
                self._recorder,
                self._tracer,
                self._launcher,
                self._network,
                plan.link,
            )
            undo.callback(self._nodes.close)
            self._nodes.add_first(plan.n)
            self._scheduler = plan.policies.chunk_scheduler
            self._client = self._make_client(CLIENT)
            self._clients = {CLIENT: self._client}
            self._clients_lock = threading.Lock()
            undo.pop_all()

    def _make_root(self, plan: Plan, undo: contextlib.ExitStack) -> Path:
        if plan.root is None:
            TemporaryRoot.sweep()
            self._temporary_root = TemporaryRoot(plan.name)
            undo.callback(self._temporary_root.remove)
            return self._temporary_root.path
        try:
            plan.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidOption(option="root", value=repr(str(plan.root)), reason=str(error)) from None
        return plan.root.resolve()

    def _make_authority(self, plan: Plan) -> Authority | None:
        """Return a new authority for a cluster with TLS; its key stays in this process."""
        if not plan.tls:
            return None
        from dfslab.runtime.tls import CA_FILE, Authority  # with the first cluster that wants it

        authority = Authority()
        self._ca_file = self.root / CA_FILE
        self._ca_file.write_bytes(authority.ca)
        return authority

    def _tls_of(self, node: str, plan: Plan) -> NodeTls | None:
        return None if self._authority is None else self._authority.node(node, [plan.host])

    @property
    def ca(self) -> bytes | None:
        """The authority by which a client of a cluster with TLS knows its nodes, in PEM; None without TLS."""
        return None if self._authority is None else self._authority.ca

    @property
    def ca_file(self) -> Path | None:
        """The file with `ca`, for `dfslab.Client(..., ca=)` in another process; None without TLS."""
        return None if self._authority is None else self._ca_file

    def _master_settings(self, plan: Plan) -> MasterSettings:
        from dfslab.runtime.master_node import MasterSettings  # with the first start, not with `import dfslab`

        return MasterSettings(
            directory=self.root / "master",
            token=self.token,
            options=plan.options,
            policies=plan.policies,
            host=plan.host,
            port=plan.port,
            seed=plan.seed,
            tls=self._tls_of(MASTER, plan),
        )

    def _keeper_settings(self, plan: Plan) -> Callable[[int, Address], KeeperSettings]:
        return lambda number, master: KeeperSettings(
            name=keeper_name(number),
            directory=self.root / keeper_name(number),
            master=master,
            token=self.token,
            host=plan.host,
            heartbeat_interval_s=plan.options.heartbeat_interval_s,
            heartbeat_timeout_s=plan.options.heartbeat_timeout_s,
            stall_timeout_s=plan.options.stall_timeout_s,
            tls=self._tls_of(keeper_name(number), plan),
        )

    def _make_client(self, name: str) -> Client:
        return Client(
            self._nodes.master_address,
            token=self.token,
            ca=self.ca,
            name=name,
            chunk_scheduler=self._scheduler,
            stall_timeout_s=self._options.stall_timeout_s,
            ack_timeout_s=self._options.ack_timeout_s,
            clock=self._clock,
            trace=self._recorder.add,
            network=self._network,
        )

    @property
    def address(self) -> str:
        """The master tracker's `host:port`."""
        self._check_open()
        return str(self._nodes.master_address)

    @property
    def closed(self) -> bool:
        """True after `close()`."""
        return self._closed

    @property
    def now_s(self) -> float:
        """Seconds since the cluster started: the clock of the trace."""
        return self._clock.now()

    def _check_open(self) -> None:
        if self._closing:
            raise ClusterClosed(name=self.name)

    def close(self) -> None:
        """Stop every node, close every port, and remove the temporary folder.

        May be called again: an interrupted one is then brought to its end.
        """
        with self._close_lock:
            if self._closed:
                return
            self._closing = True
            with self._clients_lock:
                clients = list(self._clients.values())
            for client in clients:
                client.close()
            self._network.close()
            self._nodes.close()
            self._launcher.close()
            self._recorder.close()
            if self._temporary_root is not None:
                self._temporary_root.remove()
            self._closed = True

    def _abandon(self) -> None:
        """Be closed without having touched anything, as the copy of a cluster in a forked process is."""
        self._close_lock = threading.Lock()
        self._closing = self._closed = True
        self._nodes.abandon()
        self._launcher.abandon()
        if self._temporary_root is not None:
            self._temporary_root.abandon()

    def _running_keepers(self) -> list[str]:
        return [name for name, state in self._nodes.states().items() if state is NodeState.RUNNING]


def _check_catalog(root: Path) -> None:
    """Refuse a root whose keepers hold replicas while its catalog is gone: a new one would know none of them."""
    catalog = root / "master" / "catalog.sqlite"
    lost = not catalog.exists() or catalog.stat().st_size == 0
    if lost and any(root.glob("keeper-*/replicas/*.data")):
        raise CatalogDamaged(
            path=str(catalog), reason="it is missing or empty, though the keepers beside it hold files"
        )


def _keep_earlier_trace(root: Path) -> None:
    """Move the trace of the root's earlier life to trace-1.jsonl, trace-2.jsonl, ...: one file, one life."""
    path = root / "trace.jsonl"
    if path.exists():
        number = next(number for number in itertools.count(1) if not (root / f"trace-{number}.jsonl").exists())
        path.rename(root / f"trace-{number}.jsonl")


def _token_of(root: Path) -> str:
    """Return the token of the cluster in `root`, drawn at its first start; only its owner can read the file."""
    path = root / "cluster.json"
    if not path.exists():
        write_identity(path, {"token": secrets.token_urlsafe(32)})
    token = read_identity(path, "token")
    if len(token) < MIN_TOKEN_LENGTH:
        raise WrongDirectory(path=str(root), owner="something else", wanted="a dfslab cluster")
    return token
