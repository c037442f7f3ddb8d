"""What a dashboard may do to a cluster; `dfslab.lab.controls` does it. A saved trace has none of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dfslab.core.faults import Action


class Controls(Protocol):
    """The acting half of a dashboard. Each method blocks until it is done, and raises a DfsError when it can't be."""

    def perform(self, action: Action, *, force: bool) -> None:
        """Do an action to the cluster."""

    def heal_all(self) -> None:
        """End every fault that lasts."""

    def samples(self) -> Sequence[str]:
        """Return the names of files that may be uploaded without choosing one."""

    def upload_sample(self, sample: str) -> str:
        """Upload one of them and say what came of it."""

    def sample_python(self, sample: str) -> str:
        """Return the line of Python that uploads a sample."""

    def upload(self, content: bytes, name: str) -> str:
        """Upload a file that was chosen in the browser, and say what came of it."""

    def download(self, name: str) -> str:
        """Download a file and say where it is, how large and how fast."""

    def delete(self, name: str) -> None:
        """Delete a file."""
