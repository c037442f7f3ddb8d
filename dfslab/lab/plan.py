"""The checked arguments of `dfslab.cluster.start`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dfslab.core.errors import InvalidOption
from dfslab.core.options import Options
from dfslab.core.policies import Policies

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Plan:
    """What cluster to start; every part is in its range."""

    n: int
    name: str
    root: Path | None
    options: Options
    policies: Policies
    seed: int | None
    host: str
    port: int


def check_n(n: int, replicas: int) -> int:
    """Return the number of keepers if there can be so many, and so many replicas on them; else raise InvalidOption."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InvalidOption(option="n", value=repr(n), reason="a cluster has at least 1 keeper")
    if isinstance(replicas, int) and replicas > n:
        reason = f"{n} keepers can hold at most {n} replicas; start more keepers, or pass replicas={n}"
        raise InvalidOption(option="replicas", value=str(replicas), reason=reason)
    return n


def check_cluster_name(name: str) -> str:
    """Return a cluster's name if folders may be named after it; else raise InvalidOption."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidOption(option="name", value=repr(name), reason="it must be letters, digits, '-', '_' and '.'")
    return name
