"""A client's download as a whole: whom to ask, and what to do when every holder was lost.

`download.py` shares the chunks of one version out among its holders; that is one try. When no holder
is left, the master may know others, or a newer version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dfslab.core.errors import DfsError, DownloadFailed, KeeperUnreachable
from dfslab.core.model import Location, Version

MAX_TRIES = 4
"""Of one version."""
MAX_VERSIONS = 64
"""A name that is overwritten faster than it can be read has a newer version at each try: so many are tried."""
NO_ANSWER = "no answer in time"
"""The reason of a KeeperUnreachable whose keeper is connected and says nothing."""


@dataclass(frozen=True, slots=True)
class Located:
    """The master said what there is and who serves it."""

    location: Location


@dataclass(frozen=True, slots=True)
class LocateFailed:
    """The master gave an error, or no answer however often it was asked."""

    error: DfsError


@dataclass(frozen=True, slots=True)
class TryEnded:
    """One try came to its end: the version is whole, or its holders were `lost` for these reasons."""

    whole: bool
    lost: Mapping[str, str]


Event = Located | LocateFailed | TryEnded


@dataclass(frozen=True, slots=True)
class Locate:
    """Ask the master where the file is."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch this version from these holders."""

    location: Location


@dataclass(frozen=True, slots=True)
class Finish:
    """Every byte of this version is there."""

    version: Version


@dataclass(frozen=True, slots=True)
class Fail:
    """The download has failed; raise this."""

    error: DfsError


Action = Locate | Fetch | Finish | Fail


class Retrieval:
    """One download, from the first question to the last byte or the error.

    Parameters
    ----------
    name : str
    limit : int, optional
        Fetch from so many of the holders at most.
    """

    def __init__(self, name: str, limit: int | None = None) -> None:
        self.name, self._limit = name, limit
        self._tries = self._versions = 0
        self._location: Location | None = None
        self._lost: Mapping[str, str] = {}
        self._reasons: dict[str, str] = {}

    def start(self) -> Action:
        """Return the first action."""
        return Locate()

    def handle(self, event: Event) -> Action:
        """Take one event and return what to do next."""
        if isinstance(event, LocateFailed):
            return Fail(event.error)
        if isinstance(event, Located):
            return self._on_located(event.location)
        return self._on_try_ended(event)

    def _on_located(self, location: Location) -> Action:
        if self._location is not None and location.version.id == self._location.version.id:
            fresh = tuple(holder for holder in location.holders if holder.keeper not in self._lost)
            location = Location(location.version, fresh)
        else:
            self._tries, self._reasons = 0, {}
            self._versions += 1
        if not location.holders:
            return self._fail()
        self._tries += 1
        self._location = Location(location.version, location.holders[: self._limit])
        return Fetch(self._location)

    def _on_try_ended(self, event: TryEnded) -> Action:
        assert self._location is not None, "a try ended that was never begun"
        if event.whole:
            return Finish(self._location.version)
        self._lost = event.lost
        self._reasons.update(event.lost)
        spent = self._tries >= MAX_TRIES or self._versions >= MAX_VERSIONS
        return self._fail() if spent else Locate()

    def _fail(self) -> Action:
        reasons = [f"{keeper}: {reason}" for keeper, reason in self._reasons.items()]
        return Fail(DownloadFailed(name=self.name, reasons=reasons))


def ends_a_holder(error: DfsError) -> bool:
    """Return True when a holder that failed with this error is not asked again: only a broken connection may heal."""
    return not isinstance(error, KeeperUnreachable) or error.fields["reason"] == NO_ANSWER
