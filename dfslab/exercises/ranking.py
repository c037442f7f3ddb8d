"""The leaderboard of a class: everybody's four policies in the same worlds, in one table.

>>> table = leaderboard({"the kit": {}, "patient": {"failure_detector": "timeout"}}, seeds=1)
>>> list(table["entry"]), int(table["files_lost"].sum())
(['the kit', 'patient'], 0)
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dfslab.core.checks import check_count
from dfslab.core.errors import InvalidOption
from dfslab.exercises.asking import Asked, SubmissionFailed
from dfslab.exercises.policies import REMOTE
from dfslab.exercises.taking import NotTaken, take
from dfslab.exercises.worlds.contest import PlayFailed, Result, play

if TYPE_CHECKING:
    import pandas as pd

MEASURES = (
    "detection_s",
    "false_alarms",
    "full_replication_s",
    "moved_mb",
    "skew",
    "download_s",
    "files_lost",
)
"""What is measured in a world; of each, less is better."""
ENTRY_S = 60.0
"""How long one entry may take for all its worlds, seconds."""


def leaderboard(entries: Mapping[str, Mapping[str, object]], *, seeds: int = 5) -> pd.DataFrame:
    """Let every entry live through the same worlds, and return the table, the best first.

    Each world is 90 s of virtual time: eight keepers (one slow), 32 uploads, four downloads in which one holder is
    held up for a second, keepers that pause without being dead, and three that die for good, one soon after another.
    Classes run in a process of their own, as in `check`, so that one that fails or never ends spoils no other row.

    Parameters
    ----------
    entries : mapping of str to mapping of str to class or str
        For every name, its policies: "placement", "failure_detector", "repair_order", "chunk_scheduler", each a class
        that is made without arguments, or the name of one of the kit's. What is missing is the kit's default.
    seeds : int
        How many worlds.

    Returns
    -------
    pandas.DataFrame
        One row an entry, sorted by `files_lost`, then `mean_rank`; failed entries are last.

        - entry (str)
        - detection_s (float64): from a keeper's death until it was declared dead, mean
        - false_alarms (float64): keepers declared dead that were not, a world
        - full_replication_s (float64): from the last death until every file left had three copies again, mean
        - moved_mb (float64): copied between keepers, 10^6 bytes a world
        - skew (float64): bytes on the fullest keeper before the deaths, divided by the mean
        - download_s (float64): mean time of a download
        - files_lost (Int64): files of which no copy was left, in all worlds together
        - mean_rank (float64): the mean of the places (1 is the best) in the seven measures, ties sharing theirs
        - failed (str): why there are no measures; empty when there are

    Raises
    ------
    InvalidOption
        An entry has a policy of an unknown kind, or there is none.
    """
    import pandas as pd

    check_count("seeds", seeds)
    if not entries:
        raise InvalidOption(option="entries", value="{}", reason="there is nobody to compare")
    for name, policies in entries.items():
        for kind in policies:
            if kind not in REMOTE:
                raise InvalidOption(
                    option=f"entries[{name!r}]", value=repr(kind), reason=f"it is one of {', '.join(REMOTE)}"
                )
    table = pd.DataFrame([_row(name, policies, seeds) for name, policies in entries.items()])
    table = table.astype({**dict.fromkeys(MEASURES, "float64"), "files_lost": "Int64"})
    places = table.loc[table["failed"] == "", list(MEASURES)].astype("float64").rank(method="min")
    table["mean_rank"] = places.mean(axis="columns").astype("float64")
    table["last"] = table["failed"] != ""
    table = table.sort_values(["last", "files_lost", "mean_rank"], kind="stable", ignore_index=True)
    return table[["entry", *MEASURES, "mean_rank", "failed"]]


def _row(name: str, policies: Mapping[str, object], seeds: int) -> dict[str, object]:
    try:
        results = _results(policies, seeds)
    except (NotTaken, SubmissionFailed, PlayFailed) as error:
        return {"entry": name, **dict.fromkeys(MEASURES), "failed": str(error)}
    means = {what: sum(getattr(one, what) for one in results) / seeds for what in MEASURES}
    return {"entry": name, **means, "files_lost": sum(one.files_lost for one in results), "failed": ""}


def _results(policies: Mapping[str, object], seeds: int) -> list[Result]:
    own = {kind: policy for kind, policy in policies.items() if not isinstance(policy, str)}
    if not own:
        return [play(policies, seed) for seed in range(1, seeds + 1)]
    with Asked(take(own), time.monotonic() + ENTRY_S) as asked:
        asked.begin()
        return [_asked_result(policies, asked, seed) for seed in range(1, seeds + 1)]


def _asked_result(policies: Mapping[str, object], asked: Asked, seed: int) -> Result:
    made: dict[str, Any] = {
        kind: policy if isinstance(policy, str) else REMOTE[kind](asked, kind, ()) for kind, policy in policies.items()
    }
    try:
        result = play(made, seed)
    except PlayFailed as error:
        raise asked.failure or error from error
    if asked.failure is not None:
        raise asked.failure
    return result
