"""By how much a 1 GiB transfer raises the peak memory of the process that holds client, master and keepers.

Run with `python -m benchmarks.memory`. The kernel's own count of the peak (VmHWM) is reset before
each transfer.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import dfslab
from benchmarks.report import Figure, show

SIZE_MB = 1024 * 1024 * 1024 / 1e6
LIMIT_MIB = 64.0
RUNS = 3


def memory_mib(field: str) -> float:
    """Return a field of /proc/self/status, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def reset_peak() -> float:
    """Set the peak back to what is used now, and return that."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory_mib("VmRSS")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Measure and print."""
    growth: dict[str, list[float]] = {"upload, 1 copy acknowledged": [], "upload, 3 copies": [], "download": []}
    with tempfile.TemporaryDirectory(prefix="dfslab-bench-") as folder:
        video = dfslab.samples.make_video(Path(folder) / "large.mp4", SIZE_MB)
        expected = sha256(video)
        for _ in range(RUNS):
            with dfslab.cluster.start(4, name="benchmark", root=Path(folder) / "cluster") as cluster:
                for ack_replicas, key in ((1, "upload, 1 copy acknowledged"), (3, "upload, 3 copies")):
                    before = reset_peak()
                    cluster.upload(video, name="large", ack_replicas=ack_replicas)
                    growth[key].append(memory_mib("VmHWM") - before)
                    cluster.wait_for_replicas(timeout_s=120)
                before = reset_peak()
                got = cluster.download("large", to=Path(folder) / "got")
                growth["download"].append(memory_mib("VmHWM") - before)
                assert sha256(got.path) == expected, "the download is not what was uploaded"
                got.path.unlink()
                cluster.delete("large")
    show(
        "peak memory of one process with client, master and 4 keepers, for a file of 1 GiB",
        [Figure(name, samples, "MiB", LIMIT_MIB) for name, samples in growth.items()],
    )


if __name__ == "__main__":
    main()
