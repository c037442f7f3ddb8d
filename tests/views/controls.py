"""Controls that note what they are told, for a dashboard without a cluster."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from dfslab.core.errors import DfsError
from dfslab.core.faults import Action


class FakeControls:
    """Notes every action; fails with `error` when there is one; waits for `gate` before each."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.threads: list[str] = []
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def _do(self, what: str) -> None:
        self.threads.append(threading.current_thread().name)
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        self.done.append(what)

    def perform(self, action: Action, *, force: bool) -> None:
        self._do(f"{action.python}{' by force' if force else ''}")

    def heal_all(self) -> None:
        self._do("heal_all")

    def samples(self) -> Sequence[str]:
        return ["small.mp4", "large.mp4"]

    def sample_python(self, sample: str) -> str:
        return f"cluster.upload(sample({sample!r}))"

    def upload_sample(self, sample: str) -> str:
        self._do(f"upload {sample}")
        return f"{sample} is stored"

    def upload(self, content: bytes, name: str) -> str:
        self._do(f"upload {len(content)} bytes as {name}")
        return ""

    def download(self, name: str) -> str:
        self._do(f"download {name}")
        return f"to /downloads/{name}, 1 MB, 20 MB/s"

    def delete(self, name: str) -> None:
        self._do(f"delete {name}")


class Refused(DfsError):
    """An error of the cluster, with what a page must not take for its own."""

    def __init__(self) -> None:
        super().__init__("<script>alert('x')</script> is already dead")
