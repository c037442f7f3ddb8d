"""Scenarios as a user has them: written down, recorded from a cluster, saved, read, and played again."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from dfslab.client.target import expand
from dfslab.core.errors import InvalidOption
from dfslab.core.scenario import Step, steps_as_json, steps_from_json, steps_of


class Scenario(Sequence[Step]):
    """What to do to a cluster, and when: `cluster.play(scenario)` does it, `cluster.scenario()` records it.

    Parameters
    ----------
    steps : iterable
        Each is `(time_s, action, arguments...)` in order of time: seconds of lesson time from the
        beginning (a cluster with `speed=4` plays them four times as fast), the name of a method of
        `Cluster` that is an action, and its arguments in order, as a mapping, or both; or
        `(time_s, dfslab.Action(...))`.

    Raises
    ------
    InvalidOption
        Naming the step and its part, such as `scenario[3].action`.

    Examples
    --------
    >>> import dfslab
    >>> scenario = dfslab.Scenario([(2.0, "kill", 3), (8.0, "restart", {"keeper": 3, "wipe": True})])
    >>> print(scenario)
        2.0 s  cluster.kill(3)
        8.0 s  cluster.restart(3, wipe=True)
    >>> dfslab.Scenario.from_json(scenario.to_json()) == scenario
    True
    >>> dfslab.Scenario([(2.0, "explode", 3)])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    dfslab.core.errors.InvalidOption: scenario[0].action='explode' is refused: known are kill, restart, ...
    """

    def __init__(self, steps: Iterable[Any] = ()) -> None:
        self.steps = steps_of(steps)

    @property
    def duration_s(self) -> float:
        """Lesson time from the beginning to the last step, seconds."""
        return self.steps[-1].time_s if self.steps else 0.0

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return it as a JSON document, and write that to a file if `path` is given.

        Raises
        ------
        TargetMissing, TargetForbidden, TargetUnwritable
            The folder does not exist, may not be written, or the disk refuses; nothing is left there.
        """
        text = steps_as_json(self.steps)
        if path is not None:
            from dfslab.views.writing import write_whole

            write_whole(path, [text])
        return text

    @classmethod
    def from_json(cls, path_or_text: str | os.PathLike[str]) -> Scenario:
        """Read a scenario from a file, or from a JSON document itself.

        Raises
        ------
        InvalidOption
            The file can't be read, or naming the part of it that is wrong.
        """
        if isinstance(path_or_text, str) and path_or_text.lstrip()[:1] in ("{", "["):
            return cls(steps_from_json(path_or_text))
        try:
            text = Path(expand(path_or_text)).read_text(encoding="utf-8")
        except OSError as error:
            raise _refused(path_or_text, error.strerror or str(error)) from None
        except UnicodeDecodeError:
            raise _refused(path_or_text, "it is not UTF-8 text") from None
        return cls(steps_from_json(text))

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> Scenario: ...
    def __getitem__(self, index: int | slice) -> Step | Scenario:
        return Scenario(self.steps[index]) if isinstance(index, slice) else self.steps[index]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scenario) and self.steps == other.steps

    __hash__ = None  # type: ignore[assignment]  # its actions hold mappings

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps)) or "(nothing is done)"

    def __repr__(self) -> str:
        return f"<dfslab scenario: {len(self)} steps in {self.duration_s:.1f} s>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{step.time_s:.1f} s</td><td><code>{html.escape(step.action.python)}</code></td></tr>"
            for step in self.steps
        )
        return f"<table><tr><th>time</th><th>action</th></tr>{rows}</table>"


def _refused(path: str | os.PathLike[str], reason: str) -> InvalidOption:
    return InvalidOption(option="path", value=repr(os.fspath(path)), reason=reason)
