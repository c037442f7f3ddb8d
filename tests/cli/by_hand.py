"""A cluster run by hand: every node a process of its own, as `dfslab master` and `dfslab keeper` start it.

Commands run in processes too (`run`), or in this one, which is quicker (`call`).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from unittest import mock

from benchmarks.ports import free_port
from dfslab import Client
from dfslab.cli.commands import main

DFSLAB = (sys.executable, "-m", "dfslab.cli")
QUICK = ("--heartbeat-interval-s", "0.2", "--heartbeat-timeout-s", "0.6")
DEADLINE_S = 20.0

T = TypeVar("T")


def wait_for(what: str, condition: Callable[[], T], timeout_s: float = DEADLINE_S) -> T:
    """Return the first truthy answer of `condition`; fail, saying what was waited for, at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.01)
    return answer


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """A stderr that says of itself that it is a terminal."""

    def isatty(self) -> bool:
        return True


class NodeProcess:
    """A node's process; what it prints goes to files."""

    def __init__(self, arguments: Sequence[str], folder: Path, env: dict[str, str], stdout: int | None = None) -> None:
        stem = f"{arguments[0]}-{secrets.token_hex(3)}"
        self._out, self._err = folder / f"{stem}.out", folder / f"{stem}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*DFSLAB, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out if stdout is None else stdout,
                stderr=err,
                env=env,
                cwd=folder,
            )

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until it prints something on stdout."""

        def found() -> re.Match[str] | None:
            match = re.search(pattern, self.out)
            assert match or self.process.poll() is None, f"it ended before {pattern!r}: {self.out}{self.err}"
            return match

        match = wait_for(f"{pattern!r} in {self._out.name}", found)
        assert match
        return match

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit code."""
        return self.process.wait(DEADLINE_S)

    def send(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code; a process that a signal ended has that, negative."""
        self.process.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@dataclass
class ByHand:
    """Starts nodes and commands that share a token and a folder."""

    folder: Path
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    address: str = ""
    nodes: list[NodeProcess] = field(default_factory=list)
    excused: str = ""
    """What nodes may complain of here, as a regular expression; by default nothing."""

    def complaints(self) -> list[str]:
        """Return what the nodes have complained of, and had no excuse to."""
        lines = [line for node in self.nodes for line in node.err.splitlines()]
        return [line for line in lines if not (self.excused and re.search(self.excused, line))]

    @property
    def env(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DFSLAB_")}
        return {**kept, "DFSLAB_TOKEN": self.token, "DFSLAB_MASTER": self.address}

    def node(self, *arguments: str, stdout: int | None = None, **env: str) -> NodeProcess:
        node = NodeProcess(arguments, self.folder, {**self.env, **env}, stdout)
        self.nodes.append(node)
        return node

    def master(self, *options: str, port: int = 0, stdout: int | None = None, **env: str) -> NodeProcess:
        """Start a master; its address is where commands and later keepers go."""
        port = port or int(self.address.rpartition(":")[2] or free_port())
        node = self.node("master", "--root", "m", "--port", str(port), *QUICK, *options, stdout=stdout, **env)
        if stdout is None:
            self.address = node.wait_for(r"serves at (\S+);")[1]
        return node

    def keeper(self, number: int, *options: str, root: str = "", **env: str) -> NodeProcess:
        named = ("keeper", "--name", f"keeper-{number}", "--root", root or f"k{number}")
        return self.node(*named, *QUICK, *options, stdout=None, **env)

    def cluster(self, keepers: int = 3, *master_options: str) -> tuple[NodeProcess, dict[str, NodeProcess]]:
        """Start a master and keepers, and return when all are registered."""
        master = self.master(*master_options)
        nodes = {f"keeper-{number}": self.keeper(number) for number in range(1, keepers + 1)}
        for node in nodes.values():
            node.wait_for("registered with")
        return master, nodes

    def client(self) -> Client:
        return Client(self.address, token=self.token)

    # -- commands -----------------------------------------------------------------------------

    def run(self, *arguments: str, **env: str) -> Ended:
        """Run a command as a process."""
        done = subprocess.run(
            [*DFSLAB, *arguments],
            env={**self.env, **env},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def call(self, *arguments: str, err: io.StringIO | None = None, **env: str) -> Ended:
        """Run a command in this process: what it prints and its exit code are the same."""
        out, err, code = io.StringIO(), err or io.StringIO(), 0
        before = signal.getsignal(signal.SIGTERM)
        with (
            mock.patch.dict(os.environ, {**self.env, **env}, clear=True),
            mock.patch.object(sys, "argv", ["dfslab", *arguments]),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as exit:
                code = int(exit.code or 0)
            finally:
                signal.signal(signal.SIGTERM, before)
        return Ended(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def by_hand(folder: Path) -> Iterator[ByHand]:
    """Yield a `ByHand`; at the end no process of it is left, however the test went, and none has complained.

    A node that is meant to complain is taken out of `nodes` once it has ended.
    """
    hand = ByHand(folder)
    try:
        yield hand
        complaints = hand.complaints()
    finally:
        for node in hand.nodes:
            node.kill()
    assert complaints == []
