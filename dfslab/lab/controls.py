"""What the buttons of a dashboard do to a cluster."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dfslab.core.faults import Action
from dfslab.core.model import FileInfo
from dfslab.core.pretty import size_text

if TYPE_CHECKING:
    from dfslab.cluster import Cluster

MADE_MB = {"a video of 16 MB": 16, "a video of 64 MB": 64}
"""Samples that are made when they are asked for: large enough to be watched on their way."""


class ClusterControls:
    """A cluster as `dfslab.views.dashboard.Controls`.

    Parameters
    ----------
    cluster : Cluster
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def perform(self, action: Action, *, force: bool) -> None:
        """Do an action."""
        self._cluster.perform(action, force=force)

    def heal_all(self) -> None:
        """End every fault that lasts."""
        self._cluster.heal_all()

    def samples(self) -> Sequence[str]:
        """Return the sample videos, and some that are made."""
        return [*_videos(), *MADE_MB]

    def sample_python(self, sample: str) -> str:
        """Return the Python that uploads a sample."""
        if sample in MADE_MB:
            size_mb = MADE_MB[sample]
            return f'cluster.upload(dfslab.samples.make_video("{_made_name(size_mb)}", size_mb={size_mb}))'
        return f"cluster.upload(dfslab.samples.videos()[{list(_videos()).index(sample)}])"

    def upload_sample(self, sample: str) -> str:
        """Upload a sample."""
        if sample not in MADE_MB:
            return _said(self._cluster.upload(_videos()[sample]))
        from dfslab import samples

        with tempfile.TemporaryDirectory(prefix="dfslab-sample-") as folder:
            video = samples.make_video(Path(folder) / _made_name(MADE_MB[sample]), MADE_MB[sample])
            return _said(self._cluster.upload(video))

    def upload(self, content: bytes, name: str) -> str:
        """Upload bytes under a name."""
        return _said(self._cluster.upload(content, name=name))

    def download(self, name: str) -> str:
        """Download a file to a folder of the cluster."""
        got = self._cluster.download(name)
        return f"{got.path}: {size_text(got.size)} in {got.seconds:.3f} s, {got.throughput_mb_s:.3g} MB/s"

    def delete(self, name: str) -> None:
        """Delete a file."""
        self._cluster.delete(name)


def _videos() -> dict[str, Path]:
    from dfslab import samples

    return {path.name: path for path in samples.videos()}


def _made_name(size_mb: int) -> str:
    return f"video-{size_mb}mb.mp4"


def _said(info: FileInfo) -> str:
    rate = f", {info.throughput_mb_s:.3g} MB/s" if info.throughput_mb_s else ""
    return f"{info.name}: {size_text(info.size)} in {info.seconds or 0.0:.3f} s{rate}"
