"""A notebook's kernel, as Jupyter starts it, interrupted or restarted in mid-transfer (row 40)."""

from __future__ import annotations

import os
import textwrap
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.faults import disks
from tests.faults.case import Case
from tests.faults.plugin import row
from tests.faults.waiting import until, until_none

START = """
    import os, dfslab
    cluster = dfslab.cluster.start(3, isolation="{isolation}", link=dfslab.Link(rate_mb_s=4))
    print("root", cluster.root)
    print("ports", *[one.data_address.port for one in cluster._client.keeper_infos()])
"""
TRANSFER = {
    "upload": """
        content = os.urandom(16_000_000)
        cluster.upload(content, name="large", progress=lambda done, total: print("done", done, flush=True))
    """,
    "download": """
        content = os.urandom(6_000_000)
        cluster.upload(content, name="large", ack_replicas=3)
        cluster.set_link("client", rate_mb_s=1)
        cluster.download("large", "large", progress=lambda done, total: done and print("done", done, flush=True))
    """,
}
AFTER = """
    cluster.upload(b"small", name="small", ack_replicas=3)
    names = sorted(info.name for info in cluster._client.list())
    print("read", cluster.download("small").path.read_bytes().decode(), names)
"""


class Kernel:
    """A kernel, and what its cells print.

    Its temporary folder and its working folder are the case's, so that nothing left there escapes.
    """

    def __init__(self, case: Case) -> None:
        self.temporary, self.here = case.folder / "tmp", case.folder / "notebook"
        for folder in (self.temporary, self.here):
            folder.mkdir()
        sockets = {"transport": "ipc", "ip": str(case.folder / "kernel")}
        self._manager = KernelManager(
            kernel_name="python3", connection_file=str(case.folder / "kernel.json"), **sockets
        )
        self._manager.start_kernel(cwd=str(self.here), env={**os.environ, "TMPDIR": str(self.temporary)})
        self._client = self._connected()

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def _connected(self) -> BlockingKernelClient:
        client: BlockingKernelClient = self._manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60.0)
        return client

    def begin(self, cell: str, **values: str) -> str:
        """Start to run a cell; return its id."""
        started: str = self._client.execute(textwrap.dedent(cell.format(**values)))
        return started

    def run(self, cell: str, **values: str) -> dict[str, str]:
        """Run a cell to its end; return what it printed, by the first word of each line. It must not fail."""
        printed, error = self.rest_of(self.begin(cell, **values))
        assert not error, error
        return dict(line.split(" ", 1) for line in printed.splitlines() if " " in line)

    def rest_of(self, cell: str, stop_at: str = "") -> tuple[str, str]:
        """Return what a cell prints, up to its end or to a word, and the name of the error it ended with."""
        printed, error = "", ""
        deadline = time.monotonic() + 60.0
        while True:
            message = self._client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            content: dict[str, Any] = message["content"]
            if message["parent_header"].get("msg_id") != cell:
                continue
            if message["msg_type"] == "stream":
                assert content["name"] == "stdout", content["text"]
                printed += content["text"]
            if message["msg_type"] == "error":
                error = f"{content['ename']}: {content['evalue']}"
            if (stop_at and stop_at in printed) or content.get("execution_state") == "idle":
                return printed, error

    def interrupt(self) -> None:
        """What the button with the square does."""
        self._manager.interrupt_kernel()

    def restart(self, *, now: bool) -> None:
        """What the button with the arrow does; `now` kills the kernel instead of asking it to end."""
        self._client.stop_channels()
        self._manager.restart_kernel(now=now)
        self._client = self._connected()

    def processes(self) -> list[psutil.Process]:
        """Return the processes that the kernel has started."""
        provisioner: Any = self._manager.provisioner
        return psutil.Process(provisioner.pid).children(recursive=True)

    def left_in_folders(self) -> list[str]:
        """Return what lies in the temporary folder and the working folder."""
        return [path.name for folder in (self.temporary, self.here) for path in folder.iterdir()]


@row(40)
@pytest.mark.parametrize(("transfer", "isolation"), [("upload", "process"), ("download", "thread")])
def test_a_transfer_that_is_interrupted_leaves_nothing_and_the_cluster_goes_on(
    case: Case, transfer: str, isolation: str
) -> None:
    with Kernel(case) as kernel:
        root = Path(kernel.run(START, isolation=isolation)["root"])

        cell = kernel.begin(TRANSFER[transfer])
        kernel.rest_of(cell, stop_at="done ")
        kernel.interrupt()
        _, error = kernel.rest_of(cell)
        assert error.startswith("KeyboardInterrupt"), error
        case.strike(f"interrupts of a kernel in mid-{transfer}")

        read = kernel.run(AFTER)["read"]
        assert read == ("small ['small']" if transfer == "upload" else "small ['large', 'small']")
        until_none("what the interrupt left", lambda: [path.name for path in disks.temporary_files(root)], 15.0)
        assert list(kernel.here.iterdir()) == [], "no part of the download"
        again = Path(kernel.run(START, isolation=isolation)["root"])
        assert not root.exists(), "the same cell again starts afresh"
        kernel.run("cluster.close()")
        assert not again.exists()
        until_none("what is left in its folders", kernel.left_in_folders, 5.0)
        until("the end of its nodes", lambda: not kernel.processes())


@row(40)
@pytest.mark.parametrize(
    ("isolation", "now"),
    [("thread", False), ("thread", True), ("process", True)],
    ids=["threads, asked to end", "threads, killed", "processes, killed"],
)
def test_a_kernel_that_is_restarted_in_mid_transfer_leaves_nothing_and_the_next_start_is_clean(
    case: Case, isolation: str, now: bool
) -> None:
    with Kernel(case) as kernel:
        started = kernel.run(START, isolation=isolation)
        before = kernel.processes()
        kernel.rest_of(kernel.begin(TRANSFER["upload"]), stop_at="done ")

        kernel.restart(now=now)
        case.strike("restarts of a kernel in mid-upload")

        until_none("nodes of the dead kernel", lambda: [str(one) for one in before if one.is_running()], 10.0)
        again = kernel.run(START, isolation=isolation)
        assert again["root"] != started["root"]
        assert not Path(started["root"]).exists(), "the next start takes away what a killed kernel left"
        assert kernel.run(AFTER)["read"] == "small ['small']"
        kernel.run("cluster.close()")
        until_none("what is left in its folders", kernel.left_in_folders, 5.0)
        until("the end of its nodes", lambda: not kernel.processes())
