"""The answer to why a keeper holds a copy, or does not: a sentence, and the events that led to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Step:
    """One event of the chain.

    Attributes
    ----------
    time_s : float
        Seconds since the cluster started.
    event : str
        The `id` of the line of the trace.
    sentence : str
        What it says.
    """

    time_s: float
    event: str
    sentence: str

    @property
    def clock(self) -> str:
        """The time to the millisecond, so that the steps stand in a column."""
        return f"{self.time_s:.3f} s"


@dataclass(frozen=True, repr=False)
class Explanation:
    """Why a keeper holds a copy of a file, or does not; prints as text, shows as HTML in a notebook.

    Attributes
    ----------
    keeper, file_name : str
    answer : str
        One sentence: what is the case, and because of what.
    steps : tuple of Step
        The events that led to it, oldest first; empty when there are none.
    """

    keeper: str
    file_name: str
    answer: str
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.answer, *steps_text(self.steps)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        body = steps_html(self.steps) if self.steps else ""
        style = "font-size:90%;line-height:1.4"
        return f"<div class='dfs-explanation' style='{style}'><b>{escape(self.answer)}</b>{body}</div>"


def steps_text(steps: Sequence[Step]) -> list[str]:
    """Return a line for each step, with the times in a column."""
    width = max((len(step.clock) for step in steps), default=0)
    return [f"  {step.clock:>{width}}  {step.sentence}" for step in steps]


def steps_html(steps: Sequence[Step]) -> str:
    """Return the steps as a table of two columns without lines."""
    time = "padding:1px 12px 1px 0;text-align:right;white-space:nowrap;border:0;background:none"
    text = "padding:1px 0;text-align:left;border:0;background:none"
    rows = "".join(
        f"<tr style='background:none' data-event='{escape(step.event)}'><td style='{time}'>{step.clock}"
        f"</td><td style='{text}'>{escape(step.sentence)}</td></tr>"
        for step in steps
    )
    return f"<table style='margin:4px 0;border:0;color:inherit;font-size:inherit'><tbody>{rows}</tbody></table>"
