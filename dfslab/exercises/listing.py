"""The exercises by name."""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from dfslab.core.errors import InvalidOption
from dfslab.exercises import catalog
from dfslab.exercises.model import Exercise


def names() -> list[str]:
    """Return the names of all exercises, in the order of the alphabet."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(catalog.__path__))


def exercise(name: str) -> Exercise:
    """Return an exercise.

    Raises
    ------
    InvalidOption
        There is none of that name.
    """
    known = names()
    if name not in known:
        near = difflib.get_close_matches(str(name), known, 1)
        reason = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        raise InvalidOption(option="exercise", value=repr(name), reason=reason)
    module = importlib.import_module(f"{catalog.__name__}.{name.replace('-', '_')}")
    found: Exercise = module.EXERCISE
    return found


def spec(name: str) -> str:
    """Return what an exercise asks for, in Markdown."""
    return exercise(name).spec


def starter(name: str) -> str:
    """Return the source that a student completes."""
    return exercise(name).starter
