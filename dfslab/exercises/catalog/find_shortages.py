"""Exercise: which files are short of copies, from the rows of the lookup table."""

from __future__ import annotations

from collections.abc import Sequence

from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.shortages import Replicas, random_replicas, two_keepers_dead

SEEDS = 20
WANTED = 3

SPEC = """\
Write a function `find_shortages(files, rows, wanted)` that returns a dict: for each file that is short of copies, how
many it lacks. Files that lack none are not in it.

- `files` is a list of the names of all files.
- `rows` is a list of dicts, the rows of `cluster.lookup_table()`, one for each replica. Of their keys you need
  `file_name`, `data_node`, `is_alive` (is its keeper alive?) and `state`: "valid", "corrupt" (found damaged) or
  "dropping" (about to be deleted).
- `wanted` is how many good copies each file should have on live keepers.

For a file with one good copy left and `wanted=3` the dict has a 2.
"""

STARTER = """\
def find_shortages(files, rows, wanted):
    shortages = {}
    ...
    return shortages
"""


def _with_the_dead(trial: Trial) -> None:
    _random(trial, ["valid"], dead=2)


def _with_the_damaged(trial: Trial) -> None:
    _random(trial, ["valid", "valid", "valid", "corrupt", "dropping"], dead=1)


def _with_the_vanished(trial: Trial) -> None:
    _random(trial, ["valid", "valid", "valid", "corrupt", "dropping"], dead=2, vanished=True)


def _random(trial: Trial, states: Sequence[str], *, dead: int, vanished: bool = False) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        _judge(trial, random_replicas(rng, states, dead=dead, vanished=vanished), rng.choice([2, 3]))


def _on_a_real_cluster(trial: Trial) -> None:
    with two_keepers_dead(seed=1) as cluster:
        table = cluster.lookup_table()
        files = sorted(cluster.files().file_name)
    columns = ["file_name", "data_node", "is_alive", "state"]
    rows = [
        {"file_name": str(file), "data_node": str(keeper), "is_alive": bool(alive), "state": str(state)}
        for file, keeper, alive, state in zip(*(table[column] for column in columns), strict=True)
    ]
    _judge(trial, Replicas(files, rows), WANTED)


def _judge(trial: Trial, table: Replicas, wanted: int) -> None:
    answer = trial.call(list(table.files), [dict(row) for row in table.rows], wanted)
    if not isinstance(answer, dict):
        raise Wrong(f"a dict is asked for, from names of files to numbers; it returned {answer!r:.80}")
    right = table.missing(wanted)
    for file in table.files:
        if answer.get(file) != right.get(file):
            raise _wrong(table, file, wanted, answer)
    unknown = [file for file in answer if file not in table.files]
    if unknown:
        raise Wrong(f"your dict has {unknown[0]!r}, which is the name of no file")


def _wrong(table: Replicas, file: str, wanted: int, answer: dict[str, object]) -> Wrong:
    lack = wanted - table.live(file)
    lacks = f"it lacks {lack}" if lack > 0 else "it lacks none and should be left out"
    said = f"your dict says {answer[file]!r}" if file in answer else "your dict leaves it out"
    count = f"good copies of {file} on live keepers: {table.live(file)}, wanted: {wanted}"
    return Wrong(f"{count}; so {lacks}, and {said}. {table.told(file)}", picture=lambda: table.picture(file))


EXERCISE = Exercise(
    name="find-shortages",
    title="Which files are short of copies",
    notebook="05_replication_and_repair",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("Copies on dead keepers do not count", 1, _with_the_dead),
        Check("Damaged copies, and those that are about to be deleted, do not count either", 1, _with_the_damaged),
        Check("A file of which no row is left lacks all of its copies", 1, _with_the_vanished),
        Check("It is right about a real cluster that has lost two keepers", 1, _on_a_real_cluster),
    ),
)
