"""The verdict on a submission, as a student reads it."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dfslab.exercises.drawing import BLUE, VERMILION


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    check : str
        What is to hold.
    points, max_points : float
    what : str
        What went wrong; empty when it passed.
    at_s : float or None
        At which second of the check's time.
    seed : int or None
        What the world was made from.
    picture : str
        SVG; empty when there is none.
    """

    check: str
    points: float
    max_points: float
    what: str = ""
    at_s: float | None = None
    seed: int | None = None
    picture: str = ""

    @property
    def passed(self) -> bool:
        """True when it gave all its points."""
        return self.points == self.max_points

    @property
    def where(self) -> str:
        """The moment and the seed, in words; empty when it has none."""
        moment = "" if self.at_s is None else f"at {self.at_s:.2f} s"
        seed = "" if self.seed is None else f"with seed {self.seed}"
        return ", ".join(part for part in (moment, seed) if part)


@dataclass(frozen=True)
class Verdict:
    """What came of a submission. In a notebook it shows itself as a table; `print` gives the text.

    Attributes
    ----------
    exercise, title : str
    findings : sequence of Finding
        One for each check, in their order.
    seconds : float
        How long the checks took.
    printed : str
        The beginning of what the submission printed.
    """

    exercise: str
    title: str
    findings: Sequence[Finding]
    seconds: float = 0.0
    printed: str = ""

    @property
    def points(self) -> float:
        """What it is worth."""
        return sum(finding.points for finding in self.findings)

    @property
    def max_points(self) -> float:
        """The most that it could be worth."""
        return sum(finding.max_points for finding in self.findings)

    @property
    def passed(self) -> bool:
        """True when every check passed."""
        return all(finding.passed for finding in self.findings)

    def require(self) -> Verdict:
        """Return the verdict itself; raise AssertionError, with its text, unless everything passed."""
        if not self.passed:
            raise AssertionError(str(self))
        return self

    def grade(self) -> float:
        """Show the verdict, and return its points: the last line of a graded cell, for partial credit in nbgrader."""
        from IPython.display import display  # only notebooks grade

        display(self)  # type: ignore[no-untyped-call]
        return float(self.points)

    def replay(self, finding: Finding) -> str:
        """Return the line that tries a failed check's world again, and no other."""
        return "" if finding.seed is None else f'dfslab.exercises.check("{self.exercise}", ..., seed={finding.seed})'

    def __str__(self) -> str:
        lines = [f"{self.title}: {self.points:g} of {self.max_points:g} points"]
        for finding in self.findings:
            mark = "passed" if finding.passed else "FAILED"
            lines.append(f"  {mark}  {finding.check} ({finding.points:g}/{finding.max_points:g})")
            if finding.what:
                where = f" ({finding.where})" if finding.where else ""
                lines += [f"          {line}" for line in f"{finding.what}{where}".splitlines()]
            if not finding.passed and finding.seed is not None:
                lines.append(f"          again: {self.replay(finding)}")
        if self.printed:
            lines += ["  it printed:", *(f"    {line}" for line in self.printed.splitlines())]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(self._row(finding) for finding in self.findings)
        printed = f"<p>It printed:</p><pre>{html.escape(self.printed)}</pre>" if self.printed else ""
        return (
            '<div class="dfslab-verdict" role="region" aria-label="Verdict">'
            f"<p><strong>{html.escape(self.title)}: {self.points:g} of {self.max_points:g} points</strong></p>"
            '<table style="text-align:left"><thead><tr>'
            '<th>Result</th><th style="text-align:left">Check</th><th>Points</th></tr></thead>'
            f"<tbody>{rows}</tbody></table>{printed}</div>"
        )

    def _row(self, finding: Finding) -> str:
        mark = "✓ passed" if finding.passed else "✗ failed"
        colour = BLUE if finding.passed else VERMILION
        told = html.escape(finding.check)
        if finding.what:
            told += f"<br><em>{html.escape(finding.what)}</em>"
        if finding.where:
            told += f"<br>{html.escape(finding.where)}"
        if not finding.passed and finding.seed is not None:
            told += f"<br>Again: <code>{html.escape(self.replay(finding))}</code>"
        told += f"<br>{finding.picture}" if finding.picture else ""
        return (
            f'<tr><td style="color:{colour};white-space:nowrap;vertical-align:top"><strong>{mark}</strong></td>'
            f'<td style="text-align:left">{told}</td>'
            f'<td style="vertical-align:top">{finding.points:g} / {finding.max_points:g}</td></tr>'
        )

    def dumps(self) -> bytes:
        """Return it as a line of text, on its way from the judge."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def loads(cls, line: bytes) -> Verdict:
        """Return it again."""
        form: dict[str, Any] = json.loads(line)
        return cls(**{**form, "findings": [Finding(**finding) for finding in form["findings"]]})
