"""The how-to guides do what they say: their Python as doctests, their commands in a shell."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.ports import free_port

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto"
PAGES = sorted(path.name for path in HOWTO.glob("*.md") if path.name != "index.md")
ENVIRONMENT = {**os.environ, "MPLBACKEND": "Agg", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

pytestmark = pytest.mark.timeout(240)  # real clusters, on however busy a machine


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (HOWTO / page).read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_guide_do_what_they_say(page: str, tmp_path: Path) -> None:
    examples = tmp_path / f"{page}.txt"
    examples.write_text("\n\n".join(blocks(page, "python")), "utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "doctest", "-o", "ELLIPSIS", examples.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        env=ENVIRONMENT,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("page", PAGES)
def test_every_guide_has_an_example_and_all_of_its_python_is_one(page: str) -> None:
    assert blocks(page, "python")
    assert [code for code in blocks(page, "python") if not code.startswith(">>> ")] == []


def test_the_nodes_started_by_hand_store_a_file_and_give_it_back(tmp_path: Path) -> None:
    (script,) = blocks("one-process-per-node.md", "sh")
    port = str(free_port())

    done = subprocess.run(
        ["bash", "-euc", f"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script.replace('7000', port)}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        env=ENVIRONMENT,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "copy.bin").read_bytes() == (tmp_path / "clip.bin").read_bytes()
