"""The checked arguments of `dfslab.cluster.start`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dfslab.client.target import expand
from dfslab.core.checks import is_whole
from dfslab.core.errors import InvalidOption
from dfslab.core.links import Link
from dfslab.core.nodes import keeper_name
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.core.setup import Setup

_KEEPER = re.compile(r"keeper-[1-9][0-9]*")
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
    speed: float = 1.0
    link: Link = field(default_factory=Link)
    isolation: str = "thread"
    tls: bool = False
    policy_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def setup(self) -> Setup:
        """What the trace says of it."""
        return Setup(name=self.name, n=self.n, options=self.options, speed=self.speed, link=self.link)


def check_n(n: int, replicas: int) -> int:
    """Return the number of keepers if there can be so many, and so many replicas on them; else raise InvalidOption."""
    if not is_whole(n) or n < 1:
        raise InvalidOption(option="n", value=repr(n), reason="a cluster has at least 1 keeper")
    if is_whole(replicas) and replicas > n:
        reason = f"{n} keepers can hold at most {n} replicas; start more keepers, or pass replicas={n}"
        raise InvalidOption(option="replicas", value=str(replicas), reason=reason)
    return int(n)


def check_port(port: int) -> int:
    """Return a port to listen on, 0 for any free one; else raise InvalidOption."""
    if not is_whole(port) or not 0 <= port <= 65535:
        raise InvalidOption(option="port", value=repr(port), reason="it must be 0 to 65535")
    return int(port)


def check_root(root: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder of a cluster as an absolute path; None stays None."""
    if root is None:
        return None
    if not isinstance(root, str | os.PathLike):
        raise InvalidOption(option="root", value=repr(root), reason="it must be a path")
    return expand(root).absolute()


def check_seed(seed: int | None) -> int | None:
    """Return a seed; raise InvalidOption for what is none."""
    if seed is None:
        return None
    if not is_whole(seed):
        raise InvalidOption(option="seed", value=repr(seed), reason="it must be a whole number, or None")
    return int(seed)


def check_cluster_name(name: str) -> str:
    """Return a cluster's name if folders may be named after it; else raise InvalidOption."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidOption(option="name", value=repr(name), reason="it must be letters, digits, '-', '_' and '.'")
    return name


def check_link(option: str, link: Link | None) -> Link:
    """Return a link, the plain one for None; raise InvalidOption for what is none."""
    if link is not None and not isinstance(link, Link):
        raise InvalidOption(option=option, value=repr(link), reason="it must be a dfslab.Link(...), or None")
    return link or Link()


def check_racks(racks: object, n: int) -> dict[str, str]:
    """Return the rack of each keeper that has one, by the keeper's name; else raise InvalidOption.

    Parameters
    ----------
    racks : mapping or sequence
        As `start` takes it.
    n : int
        Keepers.
    """
    if isinstance(racks, Mapping):
        named = {_keeper_of(key): rack for key, rack in racks.items()}
    elif isinstance(racks, Sequence) and not isinstance(racks, str | bytes):
        if racks and len(racks) < n:
            raise _bad_racks(racks, f"these are {len(racks)} racks for {n} keepers; one each, please")
        named = {keeper_name(number): rack for number, rack in enumerate(racks, 1)}
    else:
        raise _bad_racks(racks, 'it is a mapping, {"keeper-1": "rack-a", ...}, or a sequence, ["rack-a", ...]')
    for keeper, rack in named.items():
        if not isinstance(rack, str):
            raise _bad_racks(racks, f"the rack of {keeper} is {rack!r}, and must be a name")
    return {keeper: rack for keeper, rack in named.items() if rack}


def _keeper_of(key: object) -> str:
    if is_whole(key) and key >= 1:
        return keeper_name(key)
    if isinstance(key, str) and _KEEPER.fullmatch(key):
        return key
    raise InvalidOption(
        option="racks", value=repr(key), reason="keepers are named keeper-1, keeper-2, ... or 1, 2, ..."
    )


def _bad_racks(racks: object, reason: str) -> InvalidOption:
    return InvalidOption(option="racks", value=repr(racks), reason=reason)
