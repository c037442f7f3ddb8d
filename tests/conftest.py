"""What every test shares."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


LONGEST = (
    "tests/notebooks/test_notebooks.py",
    "tests/exercises/test_catalog.py",
    "tests/planted/test_planted.py",
    "tests/course/test_grading.py",
    "tests/browser/test_dashboard.py",
    "tests/browser/test_course.py",
)
"""Files that take minutes, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that none of them is left to one worker at the end; then by length."""
    files = [item.nodeid.partition("::")[0] for item in items]
    long, counts = {file: place for place, file in enumerate(LONGEST)}, Counter(files)

    def urgency(file: str) -> tuple[int, int]:
        return long.get(file, len(LONGEST)), -counts[file]

    order = {file: place for place, file in enumerate(sorted(counts, key=urgency))}
    items.sort(key=lambda item: order[item.nodeid.partition("::")[0]])


@pytest.fixture(autouse=True)
def _no_leftover_clusters() -> Iterator[None]:
    """A test that fails in the middle must not leave a cluster to the next one."""
    yield
    import dfslab

    dfslab.cluster.close_all()
