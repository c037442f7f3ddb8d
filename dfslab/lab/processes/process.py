"""A node's process as its parent sees it: spawned, spoken to, killed, stopped, continued, buried."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from dfslab.core.errors import DfsError, InternalError, ProcessDied, WaitTimedOut
from dfslab.lab.launching import NodeState
from dfslab.lab.processes.feed import Ear, Feed
from dfslab.lab.processes.lines import write_all
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.clock import Clock
from dfslab.runtime.gate import NodeDown
from dfslab.runtime.wire import error_from

PIPE_BYTES = 1 << 20
"""What a node may tell while its parent is busy, before it has to wait for it."""
SIGNAL_S = 10.0
"""How long the kernel may take to stop or end a process."""
END_S = 5.0
"""How long a node may take to stop in good order before it is killed."""
WRITE_S = 5.0
LOOK_S = 0.001


class NodeProcess:
    """A process that has been told nothing yet, or what node it is.

    It must be made by a thread that lives as long as the process may: the kernel kills it when that
    thread ends (PR_SET_PDEATHSIG in `child.py`).
    """

    def __init__(self, feed: Feed, clock: Clock) -> None:
        self.node = "a node"
        self.is_behind = False  # it was stopped when the network changed, and has not heard of it
        self._feed = feed
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._numbers = itertools.count(1)
        commands, self._commands = os.pipe2(os.O_CLOEXEC)
        told, tell = os.pipe2(os.O_CLOEXEC)
        stderr, say = os.pipe2(os.O_CLOEXEC)
        for fd in (self._commands, told, stderr):
            os.set_blocking(fd, False)
        _enlarge(tell)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "dfslab.lab.processes.child", str(os.getpid()), str(commands), str(tell)],
                stdin=subprocess.DEVNULL,
                stderr=say,
                pass_fds=(commands, tell),
                start_new_session=True,  # an interrupt of the notebook's cell is none of its business
                env={**os.environ, "PYTHONPATH": _python_path()},
            )
        except BaseException:
            for fd in (self._commands, told, stderr):
                os.close(fd)
            raise
        finally:
            for fd in (commands, tell, say):
                os.close(fd)
        self._ear = Ear(self.node, secrets.token_hex(3) + "p", told, stderr, clock, self._answered, self._has_ended)
        feed.add(self._ear)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def is_called(self, node: str) -> None:
        """Say which node it is."""
        self.node = node
        self._ear.is_called(node)

    # -- speaking to it -----------------------------------------------------------------------

    def ask(self, command: str, **arguments: Any) -> Future[Any]:
        """Have it do something; return what becomes of that. NodeDown when it has ended, or ends before it answers."""
        future: Future[Any] = Future()
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = future
            line = json.dumps({"number": number, "do": command, "with": arguments}, separators=(",", ":")) + "\n"
            try:
                if self._commands < 0:
                    raise BrokenPipeError
                write_all(self._commands, line.encode(), WRITE_S)
            except BrokenPipeError:
                self._give_up(number, NodeDown(f"{self.node} takes no commands any more"))
            except TimeoutError as error:
                self._give_up(number, error)
        if self._ear.has_ended:  # it may have done so before the future was among those who wait
            self._has_ended()
        return future

    def _give_up(self, number: int, error: Exception) -> None:
        future = self._waiting.pop(number, None)  # None: its end was noticed meanwhile
        if future is not None:
            future.set_exception(error)

    def demand(self, command: str, timeout_s: float, **arguments: Any) -> Any:
        """Have it do something and return the answer.

        Raises
        ------
        ProcessDied
            It ended before it answered.
        WaitTimedOut
            It did not answer in time.
        DfsError
            What it met.
        """
        try:
            return self.ask(command, **arguments).result(timeout_s)
        except NodeDown:
            self.bury()
            raise ProcessDied(node=self.node, how=self._how_it_ended(), said=self._last_line()) from None
        except TimeoutError as error:
            if isinstance(error, DfsError):
                raise
            raise self.unanswered(command, timeout_s) from None

    def unanswered(self, command: str, waited_s: float) -> WaitTimedOut:
        """Return the error of a command that it does not answer, though it runs."""
        return WaitTimedOut(waited_s=waited_s, missing=[f"the answer of {self.node}'s process to {command!r}"])

    def _answered(self, line: bytes) -> None:
        answer = json.loads(line)
        future = self._waiting.pop(answer["answer"], None)
        if future is None:
            return
        if "error" not in answer:
            future.set_result(answer["value"])
            return
        name, fields, message = answer["error"]
        if name == NodeDown.__name__:
            future.set_exception(NodeDown(message))
        else:
            future.set_exception(error_from(pb.Error(name=name, fields=fields, message=message), self.node))

    def _has_ended(self) -> None:
        while self._waiting:
            with contextlib.suppress(KeyError):  # answered meanwhile
                self._waiting.popitem()[1].set_exception(NodeDown(f"{self.node} has ended"))

    # -- its life -----------------------------------------------------------------------------

    def state(self) -> NodeState:
        """Return how the kernel has it."""
        if self._process.returncode is not None:
            return NodeState.KILLED
        flags = os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        try:
            found = os.waitid(os.P_PID, self.pid, flags)
        except ChildProcessError:
            return NodeState.KILLED
        if found is None:
            return NodeState.RUNNING
        return NodeState.PAUSED if found.si_code == os.CLD_STOPPED else NodeState.KILLED

    def stop(self) -> None:
        """SIGSTOP; return when none of its threads runs."""
        self._process.send_signal(signal.SIGSTOP)
        self._wait_until(lambda state: state is not NodeState.RUNNING)

    def go_on(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL; return when it has ended."""
        self._process.kill()
        self._wait_until(lambda state: state is NodeState.KILLED)

    def _wait_until(self, reached: Callable[[NodeState], bool]) -> None:
        deadline = time.monotonic() + SIGNAL_S
        while not reached(self.state()):
            if time.monotonic() >= deadline:
                raise InternalError(node=self.node, reason=f"its process {self.pid} does not heed a signal")
            time.sleep(LOOK_S)

    def end(self) -> None:
        """Ask it to stop in good order; one that is stopped can't, and is killed."""
        if self.state() is NodeState.RUNNING:
            self.ask("end")
        else:
            self._process.kill()

    def bury(self) -> None:
        """Wait until it has ended, kill it when that takes too long, and take in what it left."""
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._feed.remove(self._ear)
        with self._lock:
            if self._commands >= 0:
                os.close(self._commands)
                self._commands = -1

    def abandon(self) -> None:
        """In a forked child: close the end that only the parent may hold."""
        if self._commands >= 0:
            os.close(self._commands)
            self._commands = -1

    def _how_it_ended(self) -> str:
        code = self._process.returncode
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def _last_line(self) -> str:
        return self._ear.last_words.rpartition("\n")[2]


def _enlarge(pipe: int) -> None:
    with contextlib.suppress(OSError):  # the user has many large pipes already: the usual size will do
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _python_path() -> str:
    """Return where this process finds modules, so that its children find the same."""
    return os.pathsep.join(os.path.abspath(path) for path in sys.path)
