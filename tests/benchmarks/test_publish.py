"""What a full run leaves behind, and when a quick one fails."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import machine, publish, recorded
from benchmarks.table import Result, Row

UPLOAD = Row(name="upload, 1 copy", unit="MB/s", dfslab=lambda: 1, target_of_limit=0.85, target_of_peer=3.5)
STAT = Row(name="stat", unit="1/s", dfslab=lambda: 1)


def results(ours: float = 900.0) -> list[Result]:
    """An upload without a peer beside it, and a row that has neither limit nor peer."""
    return [
        Result(UPLOAD, {"dfslab": [ours, ours - 10, ours + 10], "limit": [1000.0, 1000.0, 1000.0]}),
        Result(STAT, {"dfslab": [1234.5, 1300.0, 1200.0]}),
    ]


def test_a_line_says_all_of_a_row_and_a_dash_stands_for_what_is_missing() -> None:
    upload, stat = (publish.cells(result) for result in results())

    assert upload == (
        *("upload, 1 copy", "MB/s", "900", "1,000", "-", "0.900", "-", "890–910"),
        *("≥ 0.85 of limit; ≥ 3.5 × peer", "-"),
    )
    assert stat == ("stat", "1/s", "1,234", "-", "-", "-", "-", "1,200–1,300", "-", "-")


def test_a_full_run_leaves_a_page_a_csv_and_a_small_chart(tmp_path: Path) -> None:
    publish.save(results(), {"cores": "2", "memory": "8 GiB"}, "Measured on 2026-01-02", 3, tmp_path)

    page = (tmp_path / "RESULTS.md").read_text("utf-8")
    assert "Measured on 2026-01-02" in page
    assert "- cores: 2" in page
    assert "| upload, 1 copy | MB/s | 900 |" in page
    with (tmp_path / "results" / "table.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["side"], line["round"], line["value"]) for line in lines[:4]] == [
        ("dfslab", "1", "900"),
        ("dfslab", "2", "890"),
        ("dfslab", "3", "910"),
        ("limit", "1", "1000"),
    ]
    chart = (tmp_path / "results" / "table.svg").read_text("utf-8")
    assert "upload, 1 copy" in chart
    assert len(chart) < 150_000


def test_the_text_for_a_terminal_has_a_line_a_row_under_its_heading() -> None:
    heading, upload, stat = publish.text(results()).splitlines()

    assert heading.split()[:2] == ["row", "unit"]
    assert (upload.index("MB/s"), stat.index("1/s")) == (heading.index("unit"), heading.index("unit"))


def test_a_quick_run_fails_only_below_half_of_what_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    assert recorded.read(path) == {}
    recorded.write(results(), path)
    assert json.loads(path.read_text("utf-8")) == {"upload, 1 copy": 0.9}, "what has no ratio is not recorded"

    then = recorded.read(path)
    assert recorded.fallen(results(450.0), then) == []
    assert [result.row for result in recorded.fallen(results(440.0), then)] == [UPLOAD]
    assert recorded.fallen(results(1.0), {}) == [], "a row that was never recorded can't have fallen"

    recorded.write(results(1500.0), path)
    assert recorded.read(path) == {"upload, 1 copy": 1.0}, "the limit had bad luck"


@pytest.mark.parametrize(
    ("figures", "status"),
    [
        ([100.0], 0),
        ([10.0, 10.0, 10.0, 100.0], 0),  # busy just then: the second time it is all right
        ([10.0], 1),
    ],
)
def test_a_ratio_that_has_fallen_is_measured_once_more_before_a_quick_run_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, figures: list[float], status: int
) -> None:
    left = itertools.chain(figures, itertools.repeat(figures[-1]))
    row = Row(name="upload, 1 copy", unit="MB/s", dfslab=lambda: next(left), limit=lambda: 100.0, quick=True)
    slow = Row(name="a slow one", unit="s", dfslab=lambda: 1 / 0)
    monkeypatch.setattr(program, "MODULES", (lambda context: [row, slow],))
    monkeypatch.setattr(recorded, "read", lambda: {"upload, 1 copy": 0.9})

    assert program.watch(tmp_path, 3, []) == status


def test_the_filesystem_is_that_of_the_innermost_mount() -> None:
    mounts = "disk / ext4 rw 0 0\nmemory /tmp tmpfs rw 0 0\n"

    assert machine.filesystem_of(Path("/tmp/deeper/there"), mounts) == "tmpfs"
    assert machine.filesystem_of(Path("/srv"), mounts) == "ext4"


def test_the_machine_is_described(tmp_path: Path) -> None:
    assert all(machine.describe(tmp_path).values())
