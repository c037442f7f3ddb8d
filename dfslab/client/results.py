"""What a download gives back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dfslab.core.pretty import size_text, table

if TYPE_CHECKING:
    import pandas as pd

    from dfslab.core.download import Fetched

CHUNK_COLUMNS = {
    "keeper": "string",
    "offset": "int64",
    "bytes": "int64",
    "start_s": "float64",
    "end_s": "float64",
    "outcome": "string",
    "reason": "string",
}


@dataclass(frozen=True, repr=False)
class Download:
    """A finished download: every byte was checked against the uploader's checksums.

    Attributes
    ----------
    name, version : str
        What was downloaded.
    path : Path
        Where it is now.
    size : int
        Bytes.
    seconds : float
        From the question to the master until the file was in place.
    """

    name: str
    version: str
    path: Path
    size: int
    seconds: float
    requests: tuple[Fetched, ...]

    @property
    def throughput_mb_s(self) -> float:
        """Rate in MB/s (10^6 bytes)."""
        return self.size / 1e6 / self.seconds

    @property
    def chunks(self) -> pd.DataFrame:
        """One row a request for a chunk, in the order they ended.

        Columns: `keeper` (string), `offset`, `bytes` (int64), `start_s`, `end_s` (float64, seconds
        since the cluster or the client started), `outcome` (string: "ok", "duplicate" for a hedge
        that came second, "failed", "cancelled") and `reason` (string, empty when ok).
        """
        import pandas as pd

        rows = [
            (one.keeper, one.chunk.offset, one.chunk.length, one.start_s, one.end_s, one.outcome, one.reason)
            for one in self.requests
        ]
        return pd.DataFrame(rows, columns=list(CHUNK_COLUMNS)).astype(CHUNK_COLUMNS)

    def bytes_by_keeper(self) -> dict[str, int]:
        """Return how many bytes of the file each keeper served."""
        served: Counter[str] = Counter()
        for one in self.requests:
            if one.outcome == "ok":
                served[one.keeper] += one.chunk.length
        return dict(sorted(served.items()))

    def __repr__(self) -> str:
        rate = f"{self.seconds:.3f} s, {self.throughput_mb_s:.0f} MB/s"
        return f"Download({self.name!r}, {size_text(self.size)} in {rate}, from {self._shares()}, at {self.path})"

    def _shares(self) -> str:
        shares = [f"{keeper} ({size_text(size)})" for keeper, size in self.bytes_by_keeper().items()]
        return ", ".join(shares) or "nobody: it is empty"

    def _repr_html_(self) -> str:
        return table(
            "download",
            [
                ("name", self.name),
                ("path", str(self.path)),
                ("size", size_text(self.size)),
                ("took", f"{self.seconds:.3f} s, {self.throughput_mb_s:.0f} MB/s"),
                ("from", self._shares()),
            ],
        )
