"""What a trace says of the cluster that it comes from, in its first line: views and predictions need no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dfslab.core.links import Link
from dfslab.core.options import Options

TRACE_FORMAT = 1
"""Raised when a reader of older traces would misread newer ones."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The settings of a cluster.

    Attributes
    ----------
    name : str
    n : int
        Keepers at the start.
    options : Options
        As they are in effect: timers already divided by `speed`.
    speed : float
        What the timers were divided by.
    link : Link
        Every keeper's emulated link at the start.
    """

    name: str = "lab"
    n: int = 0
    options: Options = field(default_factory=Options)
    speed: float = 1.0
    link: Link = field(default_factory=Link)

    def as_detail(self) -> dict[str, Any]:
        """Return it as the detail of a `cluster_started` event: plain JSON values."""
        return {
            "format": TRACE_FORMAT,
            "name": self.name,
            "n": self.n,
            "speed": self.speed,
            "options": asdict(self.options),
            "link": self.link.as_dict(),
        }

    @classmethod
    def from_detail(cls, detail: Mapping[str, Any]) -> Setup:
        """Read what `as_detail` wrote; KeyError, TypeError or a DfsError name what can't be read."""
        known = {one.name for one in fields(Options)}
        options = {name: value for name, value in detail["options"].items() if name in known}
        return cls(
            name=str(detail["name"]),
            n=int(detail["n"]),
            options=Options(**options),
            speed=float(detail["speed"]),
            link=Link(**detail["link"]),
        )
