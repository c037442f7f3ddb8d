"""A planted bug: what is wrong, and the change that makes it so, which fails when the code is not there any more."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from dfslab.core.guarantees import Guarantee


@dataclass(frozen=True)
class Edit:
    """Other words in the source of a function, which must stand there once.

    The function's code is exchanged, not the function: whatever table or module has it, has the bug.

    Attributes
    ----------
    place : str
        "module:function" or "module:Class.method"; a property is its getter.
    old, new : str
        As in the source without its common indentation.
    """

    place: str
    old: str
    new: str

    def plant(self) -> Callable[[], None]:
        """Make the change; return what takes it back."""
        function = _function_at(self.place)
        source = textwrap.dedent(inspect.getsource(function))
        times = source.count(self.old)
        assert times == 1, f"{self.place} has {self.old!r} {times} times, not once: mend the mutant"
        code, original = _compiled(source.replace(self.old, self.new), function), function.__code__
        function.__code__ = code

        def take_back() -> None:
            function.__code__ = original

        return take_back


@dataclass(frozen=True)
class Swap:
    """Another value of a module's constant, in every module that has imported it.

    Attributes
    ----------
    place : str
        "module:NAME".
    change : callable
        Makes the wrong value of the right one.
    """

    place: str
    change: Callable[[Any], object]

    def plant(self) -> Callable[[], None]:
        """Make the change; return what takes it back."""
        module, _, name = self.place.partition(":")
        right = getattr(importlib.import_module(module), name)
        wrong = self.change(right)
        assert wrong != right, f"{self.place} is {right!r} either way: mend the mutant"
        users = [one for one in _project() if vars(one).get(name) is right]
        for user in users:
            setattr(user, name, wrong)

        def take_back() -> None:
            for user in users:
                setattr(user, name, right)

        return take_back


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A bug that was planted on purpose.

    Attributes
    ----------
    name : str
    wrong : str
        What the code does, in a sentence.
    changes : tuple of Edit and Swap
    """

    name: str
    wrong: str
    changes: tuple[Edit | Swap, ...]

    @contextlib.contextmanager
    def planted(self) -> Iterator[None]:
        """Have the bug in this process."""
        with contextlib.ExitStack() as undo:
            for change in self.changes:
                undo.callback(change.plant())
            yield


@dataclass(frozen=True, kw_only=True)
class InHistories(Mutant):
    """A bug that the simulator has to find.

    Attributes
    ----------
    breaks : frozenset of Guarantee
        What it breaks; the failure of anything else would find it by accident.
    begin : int
        The seed to begin with: where it was found last. All others come after it.
    """

    breaks: frozenset[Guarantee]
    begin: int = 0


@dataclass(frozen=True, kw_only=True)
class InTests(Mutant):
    """A bug that tests have to find: of them, at least one must fail.

    Attributes
    ----------
    tests : tuple of str
        As pytest is told them.
    """

    tests: tuple[str, ...]


def _function_at(place: str) -> FunctionType:
    module, _, path = place.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    found = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
    found = inspect.unwrap(found)
    assert isinstance(found, FunctionType), f"{place} is no function: mend the mutant"
    return found


def _compiled(source: str, function: FunctionType) -> CodeType:
    module = compile("from __future__ import annotations\n" + source, f"<planted in {function.__qualname__}>", "exec")
    (code,) = [one for one in module.co_consts if isinstance(one, CodeType) and one.co_name == function.__name__]
    assert code.co_freevars == function.__code__.co_freevars, f"{function.__qualname__} is a closure"
    return code


def _project() -> list[Any]:
    return [module for name, module in sorted(sys.modules.items()) if name.split(".")[0] == "dfslab"]
