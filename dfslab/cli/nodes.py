"""The commands that run a node: master and keeper."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from dfslab.cli.log import Journal, Log
from dfslab.cli.options import master_option, token_option
from dfslab.cli.processes import Signals, run
from dfslab.cli.tokens import given_token, master_token
from dfslab.core.model import Address
from dfslab.core.names import check_name
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.runtime import failpoints
from dfslab.runtime.clock import Clock
from dfslab.runtime.keeper_node import KeeperNode, KeeperSettings
from dfslab.runtime.master_node import MasterNode, MasterSettings
from dfslab.runtime.tls import Authority, NodeTls

F = TypeVar("F", bound=Callable[..., Any])
DEFAULTS = Options()


def _seconds(name: str, text: str) -> Callable[[F], F]:
    default = getattr(DEFAULTS, name.replace("-", "_"))
    return click.option(f"--{name}", type=float, metavar="SECONDS", default=default, show_default=True, help=text)


def _port(name: str, default: int, text: str) -> Callable[[F], F]:
    kind = click.IntRange(0, 65535)
    return click.option(f"--{name}", type=kind, metavar="PORT", default=default, show_default=True, help=text)


def _root(text: str) -> Callable[[F], F]:
    kind = click.Path(path_type=Path, file_okay=False)
    return click.option("--root", type=kind, metavar="DIR", required=True, help=text)


def _host(command: F) -> F:
    text = "The address to listen at; 0.0.0.0 for all of this machine's."
    return click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help=text)(command)


def _quiet(command: F) -> F:
    return click.option("--quiet", is_flag=True, help="Say only where it serves, and errors.")(command)


def _tls(command: F) -> F:
    text = "Encrypt, with the cluster's authority in this folder: ca.pem and ca-key.pem, made if missing."
    return click.option("--tls", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help=text)(command)


def _node_tls(folder: Path | None, name: str, *hosts: str) -> NodeTls | None:
    return None if folder is None else Authority.of(folder).node(name, [socket.gethostname(), *hosts])


@click.command()
@_root("Where it keeps its catalog and its trace; made if missing.")
@_host
@_port("port", 7000, "0 for any free one.")
@click.option(
    "--replicas",
    type=int,
    metavar="N",
    default=DEFAULTS.replicas,
    show_default=True,
    help="Live copies to keep of every file.",
)
@click.option(
    "--ack-replicas",
    type=int,
    metavar="N",
    default=DEFAULTS.ack_replicas,
    show_default=True,
    help="Durable copies before an upload is acknowledged, unless it says otherwise.",
)
@_seconds("heartbeat-interval-s", "How often keepers shall speak.")
@_seconds("heartbeat-timeout-s", "Silence after which a keeper is dead.")
@_seconds("replication-interval-s", "How often the copies of every file are counted.")
@_seconds("orphan-grace-s", "How long replicas stay that the catalog does not know.")
@click.option(
    "--repair",
    type=click.Choice(["eager", "scan"]),
    default=DEFAULTS.repair,
    show_default=True,
    help="Copy again at once after a death, or only when the copies are counted.",
)
@_seconds("scrub-interval-s", "How often keepers shall read everything again, to find damage.")
@click.option(
    "--scrub-rate-mb-s",
    type=float,
    metavar="MB/S",
    default=DEFAULTS.scrub_rate_mb_s,
    show_default=True,
    help="How fast a keeper reads for that at most.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The cluster's token, drawn at random if the file is missing. By default DFSLAB_TOKEN, or else DIR/token.",
)
@_tls
@_quiet
def master(
    root: Path, host: str, port: int, token_file: Path | None, tls: Path | None, quiet: bool, **options: Any
) -> None:
    """Run the master tracker until Ctrl-C or SIGTERM.

    Whoever has the token can read and change every file. Without --tls traffic is not encrypted: listen
    beyond 127.0.0.1 in networks that you trust.

    \b
    Examples:
      dfslab master --root m
      dfslab master --root /srv/dfs --host 0.0.0.0 --replicas 2
    """
    checked = Options(**options)
    failpoints.arm_from_environment()
    signals = Signals()
    root.mkdir(parents=True, exist_ok=True)
    token, where = master_token(token_file, root)
    settings = MasterSettings(
        directory=root,
        token=token,
        options=checked,
        policies=Policies.of(heartbeat_timeout_s=checked.heartbeat_timeout_s, replicas=checked.replicas),
        host=host,
        port=port,
        tls=_node_tls(tls, MasterNode.name, host),
    )
    with _journal(MasterNode.name, root, quiet) as (log, journal):
        node = MasterNode(settings, Clock(), journal.add)
        log.say(f"serves at {node.address}; its token is in {where}")
        run(node, log, signals, look=lambda: "")


@click.command()
@click.option(
    "--name", required=True, metavar="NAME", help="Its name for life, such as keeper-1; no two keepers may share one."
)
@_root("Where it keeps its replicas and its trace; made if missing.")
@master_option
@token_option
@_host
@click.option("--advertise", metavar="HOST", default="", help="Where others reach it, if that is not --host.")
@_port("port", 0, "For the master's orders; 0 for any free one.")
@_port("data-port", 0, "For the bytes of files; 0 for any free one.")
@_seconds("heartbeat-interval-s", "Until the master says otherwise: how often to try to register.")
@_seconds("heartbeat-timeout-s", "Until the master says otherwise: how long to take files without hearing of it.")
@_tls
@_quiet
def keeper(
    name: str,
    root: Path,
    master: Address,
    token_file: Path | None,
    host: str,
    advertise: str,
    port: int,
    data_port: int,
    heartbeat_interval_s: float,
    heartbeat_timeout_s: float,
    tls: Path | None,
    quiet: bool,
) -> None:
    """Run a data keeper until Ctrl-C or SIGTERM.

    While there is no master it goes on trying. It ends with exit code 4 when the master refuses its
    token, or when another process has registered under its name.

    \b
    Examples:
      dfslab keeper --name keeper-1 --root k1 --token-file m/token
      dfslab keeper --name keeper-2 --root /srv/dfs --master 10.0.0.1:7000 \\
          --host 0.0.0.0 --advertise 10.0.0.2
    """
    Options(heartbeat_interval_s=heartbeat_interval_s, heartbeat_timeout_s=heartbeat_timeout_s)
    if _is_everywhere(host) and not advertise:
        raise click.UsageError(f"--host {host} is no address that others can reach: pass --advertise HOST too")
    failpoints.arm_from_environment()
    signals = Signals()
    settings = KeeperSettings(
        name=check_name(name),
        directory=root,
        master=master,
        token=given_token(token_file),
        host=host,
        advertise=advertise,
        port=port,
        data_port=data_port,
        heartbeat_interval_s=heartbeat_interval_s,
        heartbeat_timeout_s=heartbeat_timeout_s,
        tls=_node_tls(tls, name, host, advertise),
    )
    root.mkdir(parents=True, exist_ok=True)
    with _journal(name, root, quiet) as (log, journal):
        node = KeeperNode(settings, Clock(), journal.add)
        log.say(f"serves at {node.address}, data at {node.data_address}")
        node.start_patiently()
        run(node, log, signals, look=_Registration(node, log).look)


def _is_everywhere(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


@contextlib.contextmanager
def _journal(name: str, root: Path, quiet: bool) -> Iterator[tuple[Log, Journal]]:
    log = Log(name, quiet)
    try:
        journal = Journal(root / "trace.jsonl", log)
        try:
            yield log, journal
        finally:
            journal.close()
    finally:
        log.close()


class _Registration:
    """Watches a keeper's standing with the master, and says when it changes."""

    def __init__(self, node: KeeperNode, log: Log) -> None:
        self._node, self._log = node, log
        self._seen = 0
        self._give_notice_at: float | None = time.monotonic() + 2 * node.settings.heartbeat_interval_s

    def look(self) -> str:
        """Say what is new; return why the keeper has to end, if it has to."""
        node = self._node
        if node.is_member and node.incarnation != self._seen:
            self._seen, self._give_notice_at = node.incarnation, None
            self._log.say(f"registered with {node.settings.master} (incarnation {node.incarnation})")
        elif self._give_notice_at is not None and time.monotonic() >= self._give_notice_at:
            self._give_notice_at = None
            self._log.say(f"no answer from {node.settings.master} yet; goes on trying")
        return node.refused
