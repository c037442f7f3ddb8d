"""Every notebook runs from top to bottom in a fresh kernel, and is committed as it ran."""

import re
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

REPO = Path(__file__).resolve().parents[2]
SAID = {
    "01_quickstart": ["byte for byte the same: True"],
    "02_the_laboratory": [
        "keeper-1  dead",
        "after it has healed: alive, alive, alive, alive, alive, alive",
        "keeper-5 is already dead",
        "all 13 files well: True",
        "holds a copy of lecture.mp4 because",
    ],
    "03_when_things_fail": [
        ") exists: False",
        "cluster.kill(",
        "left behind by the crash: ['v",
        "fails its CRC32C",
        "found corrupt",
        "fails its checksum",
        "is in the state T (stopped)",
        "cluster.pause(",
        "the master refused what keeper-",
        "4 live copies, 3 wanted",
        "the master is dead; the client has heard something: False",
        "cluster.kill_master()",
        "the catalog had thesis.mp4",
        "cluster.fill_disk(",
        "could not store the replica (the disk is full)",
        "all 9 files are byte for byte what was uploaded",
        "lost: 0, wrong: 0",
        "guarantee 6: ",
        "the same history, mended: every guarantee held",
    ],
    "04_heartbeats_and_failure_detection": [
        "keepers that crashed: 0",
        "A detector with a fixed timeout: 4 of 4 points",
        "How soon, and how late, a crash is noticed: 3 of 3 points",
        "A detector that learns: 8 of 8 points",
    ],
    "05_replication_and_repair": [
        "Which files are short of copies: 4 of 4 points",
        "Which file is repaired first: 5 of 5 points",
        "Who copies what to whom: 6 of 6 points",
        "files that are short now: 0",
    ],
    "06_parallel_download": [
        "under way at a time",
        "one is slow:  [2, 4.5, 4.5, 4.5, 4.5]",
        "One queue for all holders: 6 of 6 points",
        "Ask twice for what is late: 7 of 7 points",
        "How fast will it be?: 7 of 7 points",
        "mine: ",
    ],
    "07_placement": [
        "Where the fewest bytes are: 5 of 5 points",
        "of 30 (0 predicted): file-",
        "gone under rack-aware: 0 of 30",
        "Not all in one rack: 7 of 7 points",
        "gone under mine: 0 of 30",
        "files gone: 0",
        "Few sets of keepers: 6 of 6 points",
    ],
    "09_build_your_own": [
        "changes download_s",
        "Build your own file system: ",
        "declared dead after",
        "mandelbrot-zoom.mp4    the same bytes: True",
    ],
    "08_durability": [
        "The chance of losing a file: 5 of 5 points",
        "the simulation says 29.4% to 33.5% (95 %), the chain 30.8%",
        "Losing a file, many times: 5 of 5 points",
        "You have it! Can it be done for less?",
        "How many copies, and how fast a repair: 5 of 5 points",
        "the chain: 0.047%, a mean of 2,149 years",
    ],
}
"""What a run must come to; of the third, that each of its faults has really struck."""
NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def texts(notebook: nbformat.NotebookNode) -> str:
    """Return all that the notebook said; the kernel may send what one print writes in several pieces."""
    parts = [
        output.get("text", "") or str(output.get("data", {}).get("text/plain", "")) + "\n"
        for output in outputs(notebook)
    ]
    return "".join(parts)


def check_outputs(notebook: nbformat.NotebookNode) -> None:
    assert [output for output in outputs(notebook) if output.output_type == "error"] == []
    assert [output.text for output in outputs(notebook) if output.get("name") == "stderr"] == []
    pictures = [output for output in outputs(notebook) if "image/png" in output.get("data", {})]
    plots = sum(bool(re.search(r"plot[.(]", cell.source)) for cell in notebook.cells if cell.cell_type == "code")
    assert len(pictures) == plots


def test_there_are_the_quickstart_the_laboratory_the_faults_and_the_course() -> None:
    assert {path.stem for path in NOTEBOOKS} >= set(SAID)


@pytest.mark.timeout(240)  # a minute alone, and the checks of the exercises wait for their turns
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_from_top_to_bottom_without_an_error_or_a_line_on_stderr(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if 'isolation="process"' in path.read_text().replace("\\", "") and not sys.platform.startswith("linux"):
        pytest.skip("processes need Linux")
    monkeypatch.delenv("MPLBACKEND")  # the kernel is to draw as a student's does
    notebook = nbformat.read(path, as_version=4)

    with tempfile.TemporaryDirectory() as sockets:
        # not TCP: a kernel's ports are chosen before it binds them, and another test's cluster may be sooner
        by_path = Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"})
        resources = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, timeout=90, kernel_name="python3", resources=resources, config=by_path).execute()

    check_outputs(notebook)
    assert list(tmp_path.iterdir()) == []
    for words in SAID.get(path.stem, ()):
        assert words in texts(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_is_committed_with_the_outputs_of_a_whole_clean_run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)

    check_outputs(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    kinds = notebook.metadata.get("widgets", {})  # by media type; GitHub refuses one that lacks its state
    assert [kind for kind, saved in kinds.items() if not saved.get("state")] == []
    assert path.stat().st_size < 1_000_000
    for words in SAID.get(path.stem, ()):
        assert words in texts(notebook)
