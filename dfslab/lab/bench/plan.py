"""What all benchmarks share: arguments checked by name, runs in an order that is fair, a cluster of their own."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from dfslab import cluster as front_door
from dfslab.cluster import Cluster
from dfslab.core.checks import check_count, check_positive, is_whole
from dfslab.core.errors import InvalidOption
from dfslab.core.links import Link, link_words
from dfslab.core.nodes import CLIENT
from dfslab.core.predict import Prediction
from dfslab.lab.plan import check_link

Columns = dict[str, Any]


class Setting(Protocol):
    """What one run of a benchmark is about."""

    def row(self) -> Columns:
        """Return its columns."""


R = TypeVar("R")
T = TypeVar("T")
S = TypeVar("S", bound=Setting)

MB = 1_000_000
UPLOAD_TIMEOUT_S = 120.0


def several(option: str, values: Sequence[T], check: Callable[[str, T], R]) -> tuple[R, ...]:
    """Return values to compare, each checked; raise InvalidOption when it is no sequence or an empty one."""
    if isinstance(values, str | bytes) or not isinstance(values, Sequence) or not values:
        raise InvalidOption(option=option, value=repr(values), reason="it must be a sequence with at least one value")
    return tuple(check(option, value) for value in values)


def count_up_to(most: int, why: str) -> Callable[[str, int], int]:
    """Return a check for whole numbers from 1 to `most`."""

    def check(option: str, value: int) -> int:
        if check_count(option, value) > most:
            raise InvalidOption(option=option, value=repr(value), reason=f"it must be at most {most}: {why}")
        return value

    return check


def size_mb(option: str, value: float) -> float:
    """Return a size in MB, of at least one byte."""
    if check_positive(option, value) * MB < 1:
        raise InvalidOption(option=option, value=repr(value), reason="it must be at least one byte, 0.000001")
    return value


def one_of(*known: str) -> Callable[[str, str], str]:
    """Return a check for one of a few names."""

    def check(option: str, value: str) -> str:
        if value not in known:
            raise InvalidOption(option=option, value=repr(value), reason=f"it must be one of {', '.join(known)}")
        return value

    return check


def links(option: str, values: Sequence[Link | None]) -> tuple[Link, ...]:
    """Return links to compare."""
    return several(option, values, check_link)


def check_whole(option: str, value: int) -> int:
    """Return a whole number, which a seed must be."""
    if not is_whole(value):
        raise InvalidOption(option=option, value=repr(value), reason="it must be a whole number")
    return int(value)


def link_columns(whose: str, link: Link) -> dict[str, object]:
    """Return the columns that tell of a link: in words, and its rate in MB/s, NaN for none."""
    rate = float("nan") if link.rate_mb_s is None else link.rate_mb_s
    return {f"{whose}_link": link_words(link.as_dict()), f"{whose}_rate_mb_s": rate}


def predicted_columns(prediction: Prediction) -> dict[str, float]:
    """Return the columns that tell of a prediction, named with its unit."""
    unit = {"s": "s", "MB/s": "mb_s"}[prediction.unit]
    return {
        f"predicted_low_{unit}": prediction.low,
        f"predicted_{unit}": prediction.typical,
        f"predicted_high_{unit}": prediction.high,
    }


def in_blocks(settings: Sequence[T], repeats: int, seed: int) -> list[tuple[int, T]]:
    """Return every setting once in each repeat, in a new order each time.

    What drifts over the minutes (other work, warmth, caches) then falls on all settings alike: a
    randomised complete block design (Fisher, "The design of experiments", 1935).
    """
    rng = random.Random(seed)
    order: list[tuple[int, T]] = []
    for repeat in range(1, repeats + 1):
        block = list(settings)
        rng.shuffle(block)
        order += [(repeat, setting) for setting in block]
    return order


def in_fair_order(settings: Sequence[T], repeats: int, seed: int) -> list[tuple[int, T]]:
    """Return `in_blocks` of these settings; raise InvalidOption for `repeats` or `seed`."""
    return in_blocks(settings, check_count("repeats", repeats), check_whole("seed", seed))


def rows_of(
    benchmark: str, order: Sequence[tuple[int, S]], seed: int, measure: Callable[[S, int], Columns], *, progress: bool
) -> list[Columns]:
    """Return a row for each run, in order: which it is, its setting, and what `measure(setting, number)` says.

    With `progress` a bar is shown meanwhile, in a notebook or a terminal: into a file or a pipe,
    nothing is written. An error closes it.
    """
    rows = []
    with _shown(benchmark, order, progress=progress) as runs:
        for number, (repeat, setting) in enumerate(runs, start=1):
            which = {"benchmark": benchmark, "run": number, "repeat": repeat, "seed": seed}
            rows.append({**which, **setting.row(), **measure(setting, number)})
    return rows


@contextlib.contextmanager
def _shown(title: str, runs: Sequence[T], *, progress: bool) -> Iterator[Iterator[T]]:
    if not progress:
        yield iter(runs)
        return
    from tqdm.auto import tqdm

    with tqdm(runs, desc=title, unit="run", disable=None) as bar:
        yield iter(bar)


@contextlib.contextmanager
def cluster_of_its_own(benchmark: str, **options: Any) -> Iterator[Cluster]:
    """Start a cluster for a benchmark, and close it at its end, however that comes."""
    with front_door.start(name=f"bench-{benchmark}", **options) as cluster:
        yield cluster


def give_links(cluster: Cluster, keepers: Sequence[Link], client: Link) -> None:
    """Give keeper-1, keeper-2 ... these links, and the client its own."""
    for number, link in enumerate(keepers, start=1):
        cluster.set_link(number, link=link)
    cluster.set_link(CLIENT, link=client)


def random_bytes(size: float, seed: int) -> bytes:
    """Return so many MB that no disk or network can make shorter."""
    return random.Random(seed).randbytes(int(size * MB))
