"""The docs are checked by running them."""

import doctest
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.ports import free_port

REPO = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "data/sample_videos/README.md",
    "docs/gallery.md",
    "docs/operations.md",
    "docs/security.md",
    "docs/testing.md",
)
PREDICTIONS = (
    "prediction",
    "detection",
    "downloads",
    "uploads",
    "repairs",
    "losses",
    "chains",
    "lives",
    "fleets",
    "wires",
)
MODULES = (
    "dfslab",
    "dfslab.cluster",
    "dfslab.client.client",
    "dfslab.lab.faults",
    "dfslab.lab.files",
    "dfslab.lab.scenario",
    "dfslab.samples",
    "dfslab.bench",
    "dfslab.sim",
    "dfslab.lab.bench.downloads",
    "dfslab.lab.bench.plan",
    "dfslab.predict",
    "dfslab.core.pretty",
    "dfslab.views.dashboard.chart",
    "dfslab.views.dashboard.topology",
    "dfslab.views.durability.game",
    "dfslab.views.replay",
    "dfslab.views.sentences",
    "dfslab.views.snapshot",
    *(f"dfslab.core.predict.{name}" for name in PREDICTIONS),
)


def test_the_readmes_python_runs_as_it_stands_and_prints_nothing_on_stderr(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (REPO / "README.md").read_text(), re.DOTALL)

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_commands_for_operators_run_as_they_stand(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (REPO / "docs" / "operations.md").read_text(), re.DOTALL)
    port = str(free_port())
    script = "".join(blocks).replace("7000", port)

    done = subprocess.run(
        ["bash", "-euc", f"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "checked 1 file, 3 replicas, 3 MB: no problem" in done.stdout
    assert "replicas that the catalog does not know are deleted again" in done.stdout


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_do_what_they_say(name: str) -> None:
    module = importlib.import_module(name)

    result = doctest.testmod(module)

    assert result.failed == 0


def test_the_doctests_are_really_there() -> None:
    tests = [test for name in MODULES for test in doctest.DocTestFinder().find(importlib.import_module(name))]

    assert sum(len(test.examples) for test in tests) >= 6


def _is_ours(folder: str) -> bool:
    """Return True for a folder of the repository; what tests leave behind is in `artifacts`."""
    return (REPO / folder).is_dir() and folder != "artifacts"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    text = (REPO / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    named = [name for name in re.findall(r"`([\w/.-]+/[\w/.-]+)`", text) if _is_ours(name.split("/")[0])]

    missing = [link for link in links if not (REPO / page).parent.joinpath(link).exists()]
    missing += [name for name in named if not (REPO / name).exists()]

    assert missing == []


def test_the_files_that_the_architecture_walks_through_exist() -> None:
    text = (REPO / "ARCHITECTURE.md").read_text()
    files = set(re.findall(r"`((?:client|core|runtime|lab|views|sim|cli)/[\w/]+\.py)`", text))

    assert len(files) > 15
    assert [file for file in sorted(files) if not (REPO / "dfslab" / file).is_file()] == []


def test_no_text_of_the_repository_names_a_machine_of_its_makers() -> None:
    listed = subprocess.run(["git", "-C", REPO, "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    home_or_work = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/\w")

    named = {
        name
        for name in listed.split("\0")
        if name and name.endswith((".py", ".md", ".toml", ".yml", ".yaml", ".ipynb", ".sh", ".proto"))
        if home_or_work.search((REPO / name).read_text())
    }

    assert named == set()
