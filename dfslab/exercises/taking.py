"""Taking a submission out of the notebook: its code by value, with what it refers to, and its source for messages."""

from __future__ import annotations

import base64
import inspect
import json
import linecache
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import ModuleType

import cloudpickle

Submission = object
"""A class or a function; or a dict of such, by the names that an exercise asks for."""


class NotTaken(ValueError):
    """The submission can't leave the notebook, or is nothing that can be judged."""


@dataclass(frozen=True)
class Taken:
    """A submission on its way to its own process.

    Attributes
    ----------
    pickled : bytes
    source : str
        The text of the file, or cell, that it was defined in; empty when it comes from several.
    """

    pickled: bytes
    source: str

    def dumps(self) -> bytes:
        """Return it as a line of text."""
        form = {"pickled": base64.b64encode(self.pickled).decode(), "source": self.source}
        return json.dumps(form).encode() + b"\n"

    @classmethod
    def loads(cls, line: bytes) -> Taken:
        """Return it again."""
        form = json.loads(line)
        return cls(base64.b64decode(form["pickled"]), form["source"])


def take(submission: Submission) -> Taken:
    """Take a submission as it is at this moment.

    Raises
    ------
    NotTaken
        It is no class, function or dict of such, or it refers to what can't be handed to another process.
    """
    parts = list(submission.values()) if isinstance(submission, Mapping) else [submission]
    for part in parts:
        if not callable(part):
            raise NotTaken(f"a class or a function is asked for, and this is a {type(part).__name__}: {part!r:.60}")
    with ExitStack() as stack:
        for module in dict.fromkeys(_own_modules(parts)):
            cloudpickle.register_pickle_by_value(module)
            stack.callback(cloudpickle.unregister_pickle_by_value, module)
        try:
            pickled = cloudpickle.dumps(submission)
        except Exception as error:  # what pickling the student's objects raises can be anything
            reason = f"it refers to something that can't be handed to another process ({error})"
            raise NotTaken(f"{reason}: define what it needs inside of it, or in functions and classes") from error
    return Taken(pickled, _source(parts))


def _own_modules(parts: list[object]) -> Iterator[ModuleType]:
    """Yield the modules of parts that are imported: the other process may not find them."""
    for part in parts:
        name = str(getattr(part, "__module__", ""))
        if name in sys.modules and name != "__main__" and name.partition(".")[0] not in _EVERYWHERE:
            yield sys.modules[name]


_EVERYWHERE = frozenset({*sys.stdlib_module_names, "cloudpickle", "numpy"})


def _source(parts: list[object]) -> str:
    """Return the text of the one file or cell in which the functions of all parts were written."""
    functions = [one for part in parts for one in (vars(part).values() if inspect.isclass(part) else (part,))]
    files = {one.__code__.co_filename for one in functions if inspect.isfunction(one)}
    return "".join(linecache.getlines(files.pop())) if len(files) == 1 else ""
