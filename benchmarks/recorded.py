"""It stays fast: the ratios to the limit that the last full run recorded, and what has fallen far below them.

Ratios, because two machines' ratios are alike where their rates are not; half, because a machine that
runs other things at the same time may well be off by a third.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.table import Result

PATH = Path(__file__).with_name("recorded.json")
FALLEN = 0.5


def read(path: Path = PATH) -> dict[str, float]:
    """Return the recorded ratio of each row, by its name; empty where nothing was recorded yet."""
    if not path.exists():
        return {}
    return {name: float(ratio) for name, ratio in json.loads(path.read_text("utf-8")).items()}


def write(results: Iterable[Result], path: Path = PATH) -> None:
    """Record the ratios to the limit, at most 1: where dfslab was faster, the limit had bad luck, and may have good."""
    ratios = {result.row.name: ratio for result in results if (ratio := result.ratio("limit")) is not None}
    known = {name: round(min(1.0, ratio), 3) for name, ratio in ratios.items()}
    path.write_text(json.dumps(known, indent=2) + "\n", "utf-8")


def fallen(results: Sequence[Result], recorded: Mapping[str, float]) -> list[Result]:
    """Return those whose ratio is below half of what is recorded."""
    return [
        result
        for result in results
        if (now := result.ratio("limit")) is not None and now < FALLEN * recorded.get(result.row.name, 0.0)
    ]
