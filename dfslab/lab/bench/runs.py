"""The results of a benchmark: a DataFrame that knows how it is drawn and saved."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dfslab.client.target import expand
from dfslab.core.errors import InvalidOption, SourceUnreadable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FIRST = {"benchmark": "string", "run": "int64", "repeat": "int64"}
_LINKS = {
    "keeper_link": "string",
    "keeper_rate_mb_s": "float64",
    "client_link": "string",
    "client_rate_mb_s": "float64",
}
_RATE = {
    "seed": "int64",
    "seconds": "float64",
    "rate_mb_s": "float64",
    "predicted_low_mb_s": "float64",
    "predicted_mb_s": "float64",
    "predicted_high_mb_s": "float64",
}
_SECONDS = {
    "seed": "int64",
    "seconds": "float64",
    "predicted_low_s": "float64",
    "predicted_s": "float64",
    "predicted_high_s": "float64",
}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "parallel_download": {
        **_FIRST,
        "holders": "int64",
        "size_mb": "float64",
        **_LINKS,
        "scheduler": "string",
        **_RATE,
    },
    "schedulers": {
        **_FIRST,
        "scheduler": "string",
        "holders": "int64",
        "size_mb": "float64",
        **_LINKS,
        "slow_link": "string",
        "slow_rate_mb_s": "float64",
        **_RATE,
    },
    "upload": {
        **_FIRST,
        "ack_replicas": "int64",
        "size_mb": "float64",
        **_LINKS,
        "repair": "string",
        **_SECONDS,
    },
    "repair": {
        **_FIRST,
        "repair": "string",
        "keepers": "int64",
        "files": "int64",
        "copies_lost": "int64",
        "size_mb": "float64",
        "keeper_link": "string",
        "keeper_rate_mb_s": "float64",
        "speed": "float64",
        "detection_s": "float64",
        **_SECONDS,
    },
}
"""The columns of each benchmark and their dtypes, in order."""


class Runs(pd.DataFrame):
    """The runs of a benchmark, one row each; a DataFrame in all other respects.

    Selecting rows keeps it one, so that ``runs[runs.size_mb == 64].plot()`` works; what pandas itself
    would plot is at ``pandas.DataFrame(runs).plot``.
    """

    @property
    def _constructor(self) -> type[Runs]:
        return Runs

    def plot(self, ax: Axes | None = None) -> Axes:  # type: ignore[override]  # pandas has an accessor here
        """Draw every run, the median and the spread, beside what was predicted; return the Axes.

        Parameters
        ----------
        ax : Axes, optional
            By default a new figure's.

        Raises
        ------
        InvalidOption
            The columns are not those of one benchmark.
        """
        from dfslab.views.plots.bench import draw_runs

        return draw_runs(self, _benchmark_of(self, "runs"), ax)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the runs to a `.parquet` or `.csv` file and return its path; `load` reads both.

        Raises
        ------
        InvalidOption
            The name has another ending.
        TargetUnwritable
        """
        from dfslab.views.writing import whole_file

        target = _checked_path(path)
        with whole_file(target) as temporary:
            if target.suffix == ".csv":
                self.to_csv(temporary, index=False)
            else:
                self.to_parquet(temporary, index=False)
        return target


def runs_of(benchmark: str, rows: Iterable[Mapping[str, Any]]) -> Runs:
    """Return rows of a benchmark, each with all of its columns, as a table; an empty one has the same dtypes."""
    listed = list(rows)
    dtypes = COLUMNS[benchmark]
    return Runs({name: pd.Series([row[name] for row in listed], dtype=dtype) for name, dtype in dtypes.items()})


def load(path: str | os.PathLike[str]) -> Runs:
    """Read what `Runs.save` wrote.

    Parameters
    ----------
    path : path
        A `.parquet` or `.csv` file.

    Returns
    -------
    Runs

    Raises
    ------
    InvalidOption
        The name has another ending, or the columns are not those of a benchmark.
    SourceUnreadable
        There is no such file, or it is not what its ending says.
    """
    source = _checked_path(path)
    try:
        read = pd.read_csv(source) if source.suffix == ".csv" else pd.read_parquet(source)
    except (OSError, ValueError) as error:  # a damaged file is a ValueError in both readers
        raise SourceUnreadable(path=str(source), reason=getattr(error, "strerror", None) or str(error)) from None
    dtypes = COLUMNS[_benchmark_of(read, "path")]
    return Runs({name: pd.Series(read[name], dtype=dtype) for name, dtype in dtypes.items()})


def _checked_path(path: str | os.PathLike[str]) -> Path:
    checked = expand(path)
    if checked.suffix not in (".parquet", ".csv"):
        raise InvalidOption(option="path", value=repr(str(path)), reason="its ending must be .parquet or .csv")
    return checked


def _benchmark_of(frame: pd.DataFrame, option: str) -> str:
    """Return which benchmark a table comes from; raise InvalidOption when it comes from none."""
    names = list(frame["benchmark"].unique()) if "benchmark" in frame else []
    if len(names) != 1 or names[0] not in COLUMNS:
        reason = f"it must have the runs of one benchmark: {', '.join(COLUMNS)}"
        raise InvalidOption(option=option, value=f"benchmarks {names}", reason=reason)
    missing = [name for name in COLUMNS[names[0]] if name not in frame]
    if missing:
        raise InvalidOption(option=option, value=f"a table of {names[0]}", reason=f"it has no column {missing[0]}")
    return str(names[0])
