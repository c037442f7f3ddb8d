"""What a keeper's directory says of itself: whose it is, of which cluster, and how often it has registered.

A catalog that was restored from a backup has forgotten the newest registrations, so that each keeper
remembers its own; and what is on a keeper's disk belongs to the cluster that put it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dfslab.runtime.storage import read_values, write_identity


@dataclass(frozen=True, slots=True)
class Identity:
    """A keeper's name, the id of its cluster (empty before it first registered), its highest incarnation."""

    keeper: str
    cluster: str = ""
    incarnation: int = 0


def identity_path(directory: Path) -> Path:
    """Return where a keeper's directory says whose it is."""
    return directory / "keeper.json"


def read_keeper_identity(directory: Path) -> Identity:
    """Return what a keeper's directory says; raise ValueError or OSError when it says nothing of the kind."""
    values = read_values(identity_path(directory))
    keeper, cluster, incarnation = values.get("keeper"), values.get("cluster", ""), values.get("incarnation", 0)
    if not isinstance(keeper, str) or not isinstance(cluster, str) or type(incarnation) is not int:
        raise ValueError("its values are not a keeper's")
    if not 0 <= incarnation < 1 << 63:
        raise ValueError(f"nobody ever had incarnation {incarnation}")
    cluster.encode()  # what UTF-8 does not know can't be sent to the master; a ValueError, too
    return Identity(keeper, cluster, incarnation)


def write_keeper_identity(directory: Path, identity: Identity) -> None:
    """Write it, whole or not at all, to stable storage."""
    write_identity(
        identity_path(directory),
        {"keeper": identity.keeper, "cluster": identity.cluster, "incarnation": identity.incarnation},
    )
