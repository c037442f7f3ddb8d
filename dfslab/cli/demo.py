"""The whole story in a terminal: store, replicate, lose a keeper, repair, download, come back."""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click

import dfslab
from dfslab.cli.failures import Exit
from dfslab.cli.narrator import Narrator
from dfslab.cli.options import ends_on_sigterm
from dfslab.cli.tables import LOOKUP_COLUMNS
from dfslab.cli.text import rate
from dfslab.client import Client
from dfslab.cluster import Cluster
from dfslab.core.errors import WaitTimedOut
from dfslab.core.options import Options
from dfslab.core.pretty import count_text, size_text
from dfslab.runtime import dfs_pb2 as pb

REPLICAS = 3
LECTURE_MB = 32
POLL_S = 0.02
SLACK_S = 20.0
"""What a wait may take beyond the timers, on a busy machine."""


@click.command(short_help="See the whole story in a terminal, in about 15 s.")
@click.option("--n", type=click.IntRange(3, 99), metavar="N", default=6, show_default=True, help="Data keepers.")
@click.option(
    "--speed",
    type=click.FloatRange(0.0, 100.0, min_open=True),
    metavar="X",
    default=1.0,
    show_default=True,
    help="Divides every timer.",
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="An empty folder for the nodes' files, which stay; by default a temporary one, removed at the end.",
)
def demo(n: int, speed: float, keep: Path | None) -> None:
    """Start a cluster, store videos, kill a keeper, watch the repair, and check every byte.

    All of it really happens, and every figure is measured. The exit code is 0 when every step did
    what it should and all files came back whole.

    \b
    Examples:
      dfslab demo
      dfslab demo --speed 10
      dfslab demo --n 4 --keep demo-files
    """
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise click.UsageError(f"--keep {keep} is not empty")
    ends_on_sigterm()
    started = time.monotonic()
    replicas = min(REPLICAS, n - 1)
    with (
        tempfile.TemporaryDirectory(prefix="dfslab-demo-") as folder,
        dfslab.cluster.start(n, name="demo", root=keep, replicas=replicas, speed=speed) as cluster,
        Client(cluster.address, token=cluster.token) as client,
    ):
        narrator = Narrator()
        what = f"a master tracker at {cluster.address} and {n} data keepers, all registered"
        narrator.say("start", what, time.monotonic() - started)
        Story(cluster, client, Path(folder), Options(replicas=replicas).at_speed(speed), narrator).tell()
    if keep is not None:
        click.echo(f"the nodes' files and trace.jsonl stay in {keep}")
    if not narrator.conclude(time.monotonic() - started):
        sys.exit(Exit.FAILED)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Story:
    """The steps of the demo: each does something, measures it, checks it, and says it in a line."""

    def __init__(self, cluster: Cluster, client: Client, folder: Path, options: Options, narrator: Narrator) -> None:
        self._cluster, self._client, self._folder, self._options = cluster, client, folder, options
        self._narrator = narrator
        self._originals: dict[str, Path] = {}

    def tell(self) -> None:
        """Go through all the steps."""
        options, note = self._options, self._narrator.note
        note(
            f"heartbeats every {options.heartbeat_interval_s:g} s, dead after {options.heartbeat_timeout_s:g} s of "
            f"silence, a scan every {options.replication_interval_s:g} s"
        )
        self._upload()
        before = self._rows()
        victim, killed_at = self._kill(before)
        self._notice_and_repair(victim, killed_at, before)
        self._download_each()
        self._restart(victim)
        self._trim()
        self._restart_master()
        self._download_again()

    # -- the steps ----------------------------------------------------------------------------

    def _upload(self) -> None:
        lecture = dfslab.samples.make_video(self._folder / "lecture.mp4", size_mb=LECTURE_MB)
        self._originals = {path.name: path for path in [*dfslab.samples.videos(), lecture]}
        infos = [self._cluster.upload(path) for path in self._originals.values()]
        replicated_s = self._cluster.wait_for_replicas(timeout_s=SLACK_S)
        rows = self._rows()
        seconds, size = sum(info.seconds or 0.0 for info in infos), sum(info.size for info in infos)
        self._narrator.say(
            "upload", f"{count_text(len(infos), 'video')}, {size_text(size)}, {rate(size, seconds)}", seconds
        )
        self._narrator.table(
            ("name", "size", "time", "rate"),
            [(i.name, size_text(i.size), f"{i.seconds:.3f} s", rate(i.size, i.seconds or 0.0)) for i in infos],
            right=("size", "time", "rate"),
        )
        what = f"{len(rows)} replicas, {self._options.replicas} of each file, all there after another"
        self._narrator.say("replicate", what, replicated_s)
        self._narrator.table(LOOKUP_COLUMNS, self._as_table(rows))
        self._narrator.note(f"… is {self._cluster.root}")
        self._check_copies(rows, "after the uploads")

    def _kill(self, rows: list[pb.LookupRow]) -> tuple[str, float]:
        held = Counter(row.data_node for row in rows)
        victim = max(self._client.stat("lecture.mp4").holders, key=lambda keeper: held[keeper])
        killed_at = time.monotonic()
        self._cluster.kill(victim)
        self._narrator.say("kill", f"{victim} crashes, with {count_text(held[victim], 'replica')}; it tells nobody")
        return victim, killed_at

    def _notice_and_repair(self, victim: str, killed_at: float, before: list[pb.LookupRow]) -> None:
        self._cluster.wait_for_dead(victim, timeout_s=self._options.heartbeat_timeout_s + SLACK_S)
        noticed_s = time.monotonic() - killed_at
        repaired_s = self._cluster.wait_for_replicas(timeout_s=SLACK_S)
        rows = self._rows()
        lost = [row for row in rows if row.data_node == victim]
        self._narrator.say("notice", f"the master misses {victim}'s heartbeats and declares it dead, after", noticed_s)
        self._narrator.table(LOOKUP_COLUMNS, self._as_table(lost))
        self._narrator.check(bool(lost) and not any(row.is_alive for row in lost), f"{victim} still counts as alive")
        there = {(row.version, row.data_node) for row in before}
        made = [row for row in rows if (row.version, row.data_node) not in there]
        size = sum(row.size for row in made)
        what = f"{len(made)} of {len(rows) - len(lost)} live replicas are new, {size_text(size)}, copied at once, in"
        self._narrator.say("repair", what, repaired_s)
        self._narrator.table(LOOKUP_COLUMNS, self._as_table(made))
        self._check_copies(rows, "after the repair")

    def _download_each(self) -> None:
        rows, total_s = [], 0.0
        for name in self._originals:
            done = self._cluster.download(name, self._folder / "download.mp4")
            total_s += done.seconds
            shares = ", ".join(f"{keeper} {part / done.size:.0%}" for keeper, part in done.bytes_by_keeper().items())
            speed = rate(done.size, done.seconds)
            rows.append((name, f"{done.seconds:.3f} s", speed, self._compare(name, done.path), shares))
        self._narrator.say("download", "each file, in parallel from those who hold it", total_s)
        self._narrator.table(("name", "time", "rate", "SHA-256", "from"), rows, right=("time", "rate"))

    def _restart(self, victim: str) -> None:
        began = time.monotonic()
        self._cluster.restart(victim)
        seconds = time.monotonic() - began
        copies = self._live_copies(self._rows())
        extra = sum(1 for name in self._originals if copies[name] > self._options.replicas)
        self._narrator.say(
            "restart", f"{victim} is back with its disk; {count_text(extra, 'file')} now on too many keepers", seconds
        )

    def _trim(self) -> None:
        def surplus() -> list[str]:
            replicas = Counter(row.file_name for row in self._rows())
            return [f"{name} has {n} replicas" for name, n in replicas.items() if n > self._options.replicas]

        seconds = _wait_until_none(surplus, 2 * self._options.replication_interval_s + SLACK_S)
        rows = self._rows()
        self._narrator.say(
            "trim", f"the scan has dropped what was too much: {self._options.replicas} of each again", seconds
        )
        self._check_copies(rows, "after the trimming")

    def _restart_master(self) -> None:
        before = {info.name: info.version for info in self._client.list()}
        began = time.monotonic()
        self._cluster.kill_master()
        self._cluster.restart_master(timeout_s=SLACK_S)
        seconds = time.monotonic() - began
        after = {info.name: info.version for info in self._client.list()}
        known = sum(1 for name in before if after.get(name) == before[name])
        self._narrator.say(
            "master", f"the master tracker crashes and starts again; it knows {known} of {len(before)} files", seconds
        )
        self._narrator.check(after == before, "the restarted master's files are not those that it had")

    def _download_again(self) -> None:
        same, size, total_s = 0, 0, 0.0
        for name in self._originals:
            done = self._cluster.download(name, self._folder / "download.mp4")
            same += self._compare(name, done.path) == "same"
            size, total_s = size + done.size, total_s + done.seconds
        what = f"{same} of {len(self._originals)} files once more, each with the SHA-256 of its original"
        self._narrator.say("compare", f"{what}, {rate(size, total_s)}", total_s)

    # -- what they look at --------------------------------------------------------------------

    def _rows(self) -> list[pb.LookupRow]:
        return self._client.lookup_rows()

    def _as_table(self, rows: list[pb.LookupRow]) -> list[tuple[str, str, str, str]]:
        root = str(self._cluster.root)
        return [(row.file_name, row.data_node, row.file_path.replace(root, "…"), str(row.is_alive)) for row in rows]

    @staticmethod
    def _live_copies(rows: list[pb.LookupRow]) -> Counter[str]:
        return Counter(row.file_name for row in rows if row.is_alive and row.state == "valid")

    def _check_copies(self, rows: list[pb.LookupRow], when: str) -> None:
        copies, wanted = self._live_copies(rows), self._options.replicas
        wrong = [f"{name} has {copies[name]}" for name in self._originals if copies[name] != wanted]
        self._narrator.check(not wrong, f"{wanted} live copies of each wanted {when}, but {', '.join(wrong)}")

    def _compare(self, name: str, path: Path) -> str:
        same = sha256_of(path) == sha256_of(self._originals[name])
        self._narrator.check(same, f"{name} came back with other bytes")
        return "same" if same else "DIFFERS"


def _wait_until_none(missing: Callable[[], list[str]], timeout_s: float) -> float:
    began = time.monotonic()
    while still := missing():
        waited_s = time.monotonic() - began
        if waited_s >= timeout_s:
            raise WaitTimedOut(waited_s=waited_s, missing=still)
        time.sleep(POLL_S)
    return time.monotonic() - began
