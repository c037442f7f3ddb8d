"""What rows are made with: a folder, files of random bytes, and things that are started when first needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Self, TypeVar

Thing = TypeVar("Thing")
BLOCK_BYTES = 1024 * 1024


class Context:
    """Handed to `rows()` of each module of `benchmarks/rows/`, and left when its rows have been run.

    Parameters
    ----------
    folder : Path
        Where files are made, on the filesystem that is measured.
    quick : bool
        Only the quick subset will be run.
    """

    def __init__(self, folder: Path, *, quick: bool = False) -> None:
        self.folder = folder
        self.quick = quick
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def lazily(self, make: Callable[[], AbstractContextManager[Thing]]) -> Callable[[], Thing]:
        """Return a function that starts a thing when it is first called, and gives that same one afterwards.

        So a cluster or a peer whose rows are not asked for is never started. What was started is ended
        when the module's rows have been run, and also when they are interrupted.
        """
        made: list[Thing] = []

        def get() -> Thing:
            if not made:
                made.append(self._stack.enter_context(make()))
            return made[0]

        return get

    def file(self, size_bytes: int) -> Path:
        """Return a file of random bytes, the same one for each size; it is in the page cache."""
        path = self.folder / f"source-{size_bytes}"
        if not path.exists():
            with path.open("wb") as file:
                for start in range(0, size_bytes, BLOCK_BYTES):
                    file.write(os.urandom(min(BLOCK_BYTES, size_bytes - start)))
                file.flush()
                os.fsync(file.fileno())  # so that nobody's fsync has to wait for these bytes
        return path
