"""Prints the steps of a story: numbered, aligned, in 100 columns at most, coloured only on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import click

from dfslab.cli.text import columns, width

LINE = 98
GOOD, BAD = "green", "red"
_COLOURS = {"True": GOOD, "same": GOOD, "False": BAD, "DIFFERS": BAD}


class Narrator:
    """Numbers the steps and remembers which checks failed.

    Attributes
    ----------
    failures : list of str
        The checks that did not hold, in words.
    """

    def __init__(self) -> None:
        self.failures: list[str] = []
        self._steps = 0

    def say(self, title: str, text: str, seconds: float | None = None) -> None:
        """Print a step: what it is called, what happened, and how long it took."""
        self._steps += 1
        took = "" if seconds is None else f"{seconds:.2f} s"
        left = f"{self._steps:>2} {title:<10} {text}"
        gap = max(1, LINE - width(left) - len(took))
        click.echo(f"{self._steps:>2} {click.style(f'{title:<10}', bold=True)} {text}{' ' * gap}{took}".rstrip())

    def note(self, text: str) -> None:
        """Print a line that belongs to the step above."""
        click.echo(f"{'':13} {text}")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = ()) -> None:
        """Print a table that belongs to the step above."""
        for number, line in enumerate(columns(header, rows, right)):
            click.echo(f"     {click.style(line, bold=True) if number == 0 else _coloured(line)}")

    def check(self, holds: bool, failure: str) -> None:
        """Remember a check that does not hold, and say so."""
        if not holds:
            self.failures.append(failure)
            click.secho(f"{'':13} FAILED: {failure}", fg=BAD)

    def conclude(self, seconds: float) -> bool:
        """Print the last line; return whether all is well."""
        if self.failures:
            click.secho(f"after {seconds:.1f} s: not as it should be, see FAILED above", fg=BAD, bold=True)
            return False
        click.secho(f"after {seconds:.1f} s: all files are whole", fg=GOOD, bold=True)
        return True


def _coloured(line: str) -> str:
    return " ".join(click.style(word, fg=_COLOURS[word]) if word in _COLOURS else word for word in line.split(" "))
