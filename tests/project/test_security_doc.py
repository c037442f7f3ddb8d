"""docs/security.md claims nothing without a test, and no test that it names is gone."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
DOC = (TESTS.parent / "docs" / "security.md").read_text()
NAMES = frozenset(
    name for path in TESTS.rglob("*.py") for name in re.findall(r"^def test_(\w+)", path.read_text(), re.MULTILINE)
)


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`([a-z]+(?:_[a-z.]+){3,})`", DOC)
    missing = [name for name in named if not any(_pattern(name).fullmatch(test) for test in NAMES)]

    assert len(named) >= 15
    assert missing == []


def test_every_file_of_tests_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`((?:cluster|core|faults|project|fuzz)/[\w/.]*)`", DOC)

    assert len(named) >= 8
    assert [name for name in named if not (TESTS / name).exists()] == []


def _pattern(name: str) -> re.Pattern[str]:
    """Return what a name stands for: three dots for any words."""
    return re.compile(re.escape(name).replace(r"\.\.\.", r"\w+"))
