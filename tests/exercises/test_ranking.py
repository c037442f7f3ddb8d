"""The class's policies in the same worlds: what is measured differs where the policies do, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from dfslab import exercises
from dfslab.core.errors import InvalidOption
from dfslab.core.policies.failure_detector import TimeoutDetector
from dfslab.exercises.ranking import MEASURES, leaderboard
from dfslab.exercises.solutions.build_your_own import SOLUTION
from dfslab.exercises.worlds.contest import DEATHS, END_S, PlayFailed, play
from tests.exercises.planted import build_your_own as planted

pytestmark = pytest.mark.timeout(120)


def test_a_world_is_the_same_for_the_same_seed_and_policies() -> None:
    assert play({}, 3) == play({}, 3)
    assert play({}, 3) != play({}, 4)


def test_a_policy_changes_only_what_it_decides() -> None:
    usual, slower = play({}, 1), play({"chunk_scheduler": "uniform"}, 1)

    assert slower.download_s > 1.5 * usual.download_s
    assert (slower.declared, slower.skew, slower.moved_mb) == (usual.declared, usual.skew, usual.moved_mb)


def test_three_keepers_die_and_are_declared_dead_after_the_detectors_timeout() -> None:
    result = play({"failure_detector": TimeoutDetector(4.0)}, 2)

    assert len(result.deaths) == DEATHS
    assert result.deaths.keys() == result.declared.keys()
    for keeper, died_s in result.deaths.items():
        assert 2.0 < result.declared[keeper] - died_s < 5.5, (
            "a beat before the death, a late beat, a look of the master"
        )
    assert result.whole
    assert result.false_alarms == 0
    assert result.picture().startswith("<svg")


def test_a_short_timeout_notices_sooner_at_the_price_of_false_alarms_and_of_bytes() -> None:
    hasty, calm = (play({"failure_detector": TimeoutDetector(timeout_s)}, 2) for timeout_s in (1.5, 4.0))

    assert hasty.detection_s < calm.detection_s
    assert hasty.false_alarms > calm.false_alarms == 0
    assert hasty.moved_mb > 1.2 * calm.moved_mb


def test_a_detector_that_never_speaks_up_loses_files() -> None:
    result = play({"failure_detector": planted.NeverDead}, 1)

    assert result.declared == {}
    assert not result.whole
    assert result.detection_s > (END_S - max(result.deaths.values()))


def test_a_policy_that_chooses_what_it_may_not_ends_the_world() -> None:
    with pytest.raises(PlayFailed, match="which is not a candidate"):
        play({"placement": planted.ReturnsTheCandidate()}, 1)


class Raises:
    def next_chunk(self, keeper: str, waiting: Any, in_flight: Any, chunk_s: Any, now: float) -> None:
        raise LookupError("I have lost my notes")


class Endless:
    def key(self, shortage: Any) -> tuple[float, ...]:
        while True:
            pass


def test_the_class_is_ranked_and_who_fails_spoils_no_other_row() -> None:
    entries: dict[str, Any] = {
        "raises": {"chunk_scheduler": Raises},
        "endless": {"repair_order": Endless},
        "shares": {"chunk_scheduler": "uniform"},
        "mine": SOLUTION,
        "the kit": {},
        "no policy": {"placement": 42},
    }

    table: Any = leaderboard(entries, seeds=2)

    assert dict(table.dtypes.astype(str)) == {
        "entry": table["entry"].dtype.name,
        **dict.fromkeys(MEASURES, "float64"),
        "files_lost": "Int64",
        "mean_rank": "float64",
        "failed": table["failed"].dtype.name,
    }
    rows: Any = table.set_index("entry")
    assert set(table["entry"][:3]) == {"mine", "the kit", "shares"}
    assert list(table["entry"][3:]) == ["raises", "endless", "no policy"], "as they came"
    assert table["mean_rank"][:3].is_monotonic_increasing
    assert list(rows["failed"][:3]) == ["", "", ""]
    assert "I have lost my notes" in rows.loc["raises", "failed"]
    assert "an endless loop" in rows.loc["endless", "failed"]
    assert "a class or a function is asked for" in rows.loc["no policy", "failed"]
    assert rows.loc["raises", list(MEASURES)].isna().all()
    assert rows.loc["the kit", "download_s"] < rows.loc["shares", "download_s"]


def test_a_class_gets_the_same_measures_in_its_own_process_as_in_this_one() -> None:
    mine = {kind: policy for kind, policy in SOLUTION.items() if kind != "placement"}  # that one draws lots

    (row,) = leaderboard({"mine": mine}, seeds=1).to_dict("records")

    assert row["failed"] == ""
    for measure in MEASURES:
        assert row[measure] == pytest.approx(getattr(play(mine, 1), measure)), measure


@pytest.mark.parametrize(
    ("entries", "seeds", "words"),
    [
        ({}, 1, "nobody to compare"),
        ({"ada": {"detector": SOLUTION["failure_detector"]}}, 1, "placement, failure_detector"),
        ({"ada": {"placement": "random-ish"}}, 1, "known are"),
        ({"ada": {}}, 0, "seeds"),
    ],
)
def test_what_makes_no_leaderboard_is_refused(entries: Any, seeds: int, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        exercises.leaderboard(entries, seeds=seeds)
