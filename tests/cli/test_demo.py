"""The demo runs headless, says what it measured, and fails when anything is not as it should be."""

import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dfslab.cli import demo
from tests.cli.by_hand import ByHand, Ended, by_hand, wait_for

STEPS = ["start", "upload", "replicate", "kill", "notice", "repair", "download", "restart", "trim", "master", "compare"]
QUICK = ("demo", "--n", "4", "--speed", "5")


def temporary(hand: ByHand) -> Callable[[], list[Path]]:
    return lambda: [path for path in hand.folder.iterdir() if path.name.startswith("dfslab-demo-")]


def steps_of(out: str) -> list[str]:
    return re.findall(r"^ ?\d+ (\w+) ", out, re.MULTILINE)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ByHand, Ended]]:
    """One run of the demo, which keeps its files."""
    with by_hand(tmp_path_factory.mktemp("demo")) as hand:
        yield hand, hand.run(*QUICK, "--keep", "kept", TMPDIR=str(hand.folder))


def test_the_demo_tells_the_whole_story_and_ends_well(kept: tuple[ByHand, Ended]) -> None:
    hand, ended = kept

    assert (ended.code, ended.err) == (0, "")
    assert steps_of(ended.out) == STEPS
    assert ended.out.endswith("all files are whole\n")
    assert ended.out.count(" same ") == 5
    assert temporary(hand)() == []


def test_the_demo_is_plain_text_of_at_most_a_hundred_columns(kept: tuple[ByHand, Ended]) -> None:
    lines = [line for line in kept[1].out.splitlines() if str(kept[0].folder) not in line]

    assert max(len(line) for line in lines) <= 100
    assert all(line.isprintable() for line in lines)


def test_what_the_demo_says_is_what_its_trace_has(kept: tuple[ByHand, Ended]) -> None:
    hand, ended = kept
    events = [json.loads(line) for line in (hand.folder / "kept" / "trace.jsonl").read_text().splitlines()]
    killed = next(event for event in events if event["kind"] == "fault")
    dead = next(event for event in events if event["kind"] == "keeper_dead")
    noticed = re.search(r"notice .* declares it dead, after +([\d.]+) s", ended.out)

    assert killed["detail"] == {"action": "kill"}
    assert dead["peer"] == killed["peer"]
    assert f"kill       {killed['peer']} crashes" in ended.out
    assert noticed
    assert float(noticed[1]) == pytest.approx(dead["time_s"] - killed["time_s"], abs=0.25)
    assert (hand.folder / "kept" / killed["peer"] / "replicas").is_dir()


def test_the_demo_does_not_touch_a_folder_that_has_something_in_it(hand: ByHand) -> None:
    (hand.folder / "full").mkdir()
    (hand.folder / "full" / "thesis.txt").write_text("precious")

    ended = hand.call(*QUICK, "--keep", "full")

    assert (ended.code, [path.name for path in (hand.folder / "full").iterdir()]) == (2, ["thesis.txt"])


def broken_demo(hand: ByHand, monkeypatch: pytest.MonkeyPatch, name: str) -> Ended:
    real = demo.sha256_of
    monkeypatch.setattr(demo, "sha256_of", lambda path: real(path) + ("!" if path.name == name else ""))
    return hand.call("demo", "--n", "3", "--speed", "20", TMPDIR=str(hand.folder))


def test_the_demo_fails_when_one_file_comes_back_with_other_bytes(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = broken_demo(hand, monkeypatch, "color-waves.mp4")

    assert ended.code == 1
    assert "FAILED: color-waves.mp4 came back with other bytes" in ended.out
    assert "4 of 5 files once more" in ended.out
    assert "all files are whole" not in ended.out


def test_a_demo_that_is_terminated_takes_its_files_away(hand: ByHand) -> None:
    running = hand.node("demo", TMPDIR=str(hand.folder))
    running.wait_for("kill ")
    assert len(temporary(hand)()) == 2

    assert running.send(signal.SIGTERM) == 128 + signal.SIGTERM

    wait_for("its temporary files to go", lambda: temporary(hand)() == [])
