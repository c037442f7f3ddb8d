"""The matrix itself: every row has cases, a fault that never struck fails, and the oracle sees what is wrong."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

import pytest

from tests.faults import disks
from tests.faults.__main__ import Matrix, Result, line
from tests.faults.case import Case
from tests.faults.changes import GONE, Changes, Outcome
from tests.faults.ledger import Ledger
from tests.faults.plugin import row
from tests.faults.rows import ROWS


def test_every_row_of_the_matrix_has_a_case() -> None:
    shown: set[int] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        module = importlib.import_module(f"tests.faults.{path.stem}")
        for function in vars(module).values():
            marks = getattr(function, "pytestmark", ())
            shown.update(number for mark in marks if mark.name == "row" for number in mark.args)

    assert sorted(set(ROWS) - shown) == []
    assert sorted(ROWS) == list(range(1, 41))


def test_a_row_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AssertionError, match="no row"):
        row(41)


def test_a_case_in_which_no_fault_struck_has_failed(case: Case) -> None:
    case.strike("a fault that missed", 0)

    with pytest.raises(AssertionError, match="no fault struck"):
        case.judge()
    case.strike("this very one")


# -- what a name may mean ---------------------------------------------------------------------


def changed(changes: Changes, content: str, outcome: Outcome) -> None:
    changes.end(changes.begin("name", content), outcome)


def possible(changes: Changes) -> set[str]:
    now = time.monotonic()
    return changes.possible("name", now, now)


def test_an_acknowledged_upload_is_the_only_content_until_the_next_change() -> None:
    changes = Changes()
    assert possible(changes) == {GONE}

    changed(changes, "one", Outcome.ACKNOWLEDGED)
    assert possible(changes) == {"one"}
    changed(changes, "two", Outcome.REFUSED)
    assert possible(changes) == {"one"}
    changed(changes, "three", Outcome.ACKNOWLEDGED)
    assert possible(changes) == {"three"}
    changed(changes, GONE, Outcome.ACKNOWLEDGED)
    assert possible(changes) == {GONE}


def test_an_upload_of_unknown_outcome_may_be_there_or_not_and_may_still_come() -> None:
    changes = Changes()
    changed(changes, "one", Outcome.UNKNOWN)
    assert possible(changes) == {GONE, "one"}

    changed(changes, "two", Outcome.ACKNOWLEDGED)
    assert possible(changes) == {"one", "two"}


def test_of_uploads_at_once_any_may_have_won() -> None:
    changes = Changes()
    both = [changes.begin("name", content) for content in ("one", "two")]
    for change in both:
        changes.end(change, Outcome.ACKNOWLEDGED)

    assert possible(changes) == {"one", "two"}


def test_a_reader_that_began_before_a_change_may_find_what_was_there() -> None:
    changes = Changes()
    changed(changes, "one", Outcome.ACKNOWLEDGED)
    began = time.monotonic()
    changed(changes, "two", Outcome.ACKNOWLEDGED)

    assert changes.possible("name", began, time.monotonic()) == {"one", "two"}
    assert possible(changes) == {"two"}


# -- the oracle sees it -----------------------------------------------------------------------


def with_a_file(case: Case) -> Ledger:
    files = case.start(n=3)
    files.upload("clip", 50_000)
    files.cluster.wait_for_replicas("clip")
    case.strike("the oracle is asked")
    return files


def test_the_oracle_sees_an_acknowledged_file_that_is_gone(case: Case) -> None:
    files = with_a_file(case)
    files.cluster.delete("clip")  # past the books

    with pytest.raises(AssertionError, match="is lost"):
        files.judge()
    files.cluster.close()


def test_the_oracle_sees_a_file_that_should_be_gone(case: Case) -> None:
    files = with_a_file(case)
    files.delete("clip")
    files.cluster.upload(b"somebody else's", name="clip")

    with pytest.raises(AssertionError, match=r"nobody uploaded|should be gone"):
        impatiently(files).judge()
    files.cluster.close()


def test_the_oracle_sees_a_copy_that_nobody_reads(case: Case) -> None:
    files = with_a_file(case)
    copy = disks.copies(files.cluster.root)[0]
    copy.data.write_bytes(bytes(50_000))

    with pytest.raises(AssertionError, match="bytes that nobody uploaded"):
        impatiently(files).judge()
    files.cluster.close()


@pytest.mark.parametrize("name", ["v9-0123456789.data", "v9-0123456789.crc", "x.tmp"])
def test_the_oracle_sees_what_is_left_over_in_a_store(case: Case, name: str) -> None:
    files = with_a_file(case)
    path = files.cluster.root / "keeper-2" / "replicas" / name
    path.write_bytes(b"left over")

    with pytest.raises(AssertionError, match="left over"):
        impatiently(files).judge()
    files.cluster.close()
    path.unlink()


def test_the_oracle_sees_a_missing_copy_and_a_call_that_took_too_long(case: Case) -> None:
    files = with_a_file(case)
    files.download("clip", limit_s=0.0)
    with pytest.raises(AssertionError, match=r"download\('clip'\) took"):
        files.judge()

    copy = disks.copies(files.cluster.root)[0]
    copy.data.unlink()
    with pytest.raises(AssertionError, match="is not there"):
        impatiently(files).judge()
    files.cluster.close()


def impatiently(files: Ledger) -> Ledger:
    files.recovery_limit_s = 0.5
    return files


def test_what_a_case_leaves_behind_is_named(case: Case) -> None:
    import threading

    over = threading.Event()
    left = threading.Thread(target=over.wait, name="left-behind")
    left.start()
    (case.folder / "x.part").write_bytes(b"")
    try:
        assert case.leftovers() == ["the thread left-behind", "the file x.part"]
    finally:
        over.set()
        left.join()
        (case.folder / "x.part").unlink()
    case.strike("the oracle is asked")


# -- the table --------------------------------------------------------------------------------


def test_a_row_without_a_case_a_failed_one_and_one_that_held_are_told_apart() -> None:
    assert Result().outcome == "FAILED: no case"
    assert Result(skipped=["no superuser"]).outcome == "skipped: no superuser"
    assert Result(cases=2, failed=["test_x"]).outcome == "FAILED: test_x"
    assert Result(cases=2, struck=3).outcome == "held"
    assert Result(cases=1, struck=1, expected=["why"]).outcome == "does not hold; known to fail: why"
    assert line(ROWS[12], Result(cases=2, struck=3)).split()[-4:] == ["2", "3", "0.0", "held"]
    assert Matrix([1]).results[1].cases == 0
