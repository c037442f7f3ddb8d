"""Who may import whom (DESIGN §4): the core decides, the runtime does, and the views only look.

Every module's imports are read from its source, also those inside functions and for type checkers.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import dfslab

ROOT = Path(dfslab.__file__).parent

MAY_IMPORT = {
    "core": {"core"},
    "runtime": {"core", "runtime"},
    "sim": {"core", "sim"},
    "views": {"core", "views"},
    "client": {"core", "runtime", "client"},
}
"""What each layer may import of dfslab; a layer that is not listed may import everything."""

LAZILY = {
    "": {"sim", "views"},
    "cluster": {"views"},
    "lab": {"views"},
}
"""What a layer may import only inside functions, so that it loads when it is used; "" is `dfslab` itself."""

_IMPURE = """
    _thread asyncio concurrent ctypes datetime dbm fcntl fileinput glob http importlib io logging mmap
    multiprocessing os pathlib queue sched secrets select selectors shelve shutil signal socket socketserver
    sqlite3 ssl subprocess tempfile threading time urllib uuid webbrowser
"""
IMPURE = frozenset(_IMPURE.split())
"""Modules of the standard library with which a core could look at the world, or change it."""

IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__"})


@dataclass(frozen=True)
class Import:
    """One imported name, in full."""

    target: str
    line: int
    lazy: bool


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports_of(tree: ast.AST, package: str, *, lazy: bool = False) -> Iterator[Import]:
    """Yield what a module of `package` imports, anywhere in it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (Import(f"{base}.{alias.name}", node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.Call) and "import_module" in ast.dump(node.func):
            names = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            yield from (Import(name, node.lineno, lazy) for name in names if isinstance(name, str))
        deferred = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_for_type_checkers(node)
        yield from imports_of(node, package, lazy=lazy or deferred)


def layer_of(name: str) -> str:
    """Return the layer of a module of dfslab: the part behind the first dot."""
    return [*name.split("."), ""][1]


def violations(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """Return a sentence for everything in a module that DESIGN §4 forbids."""
    tree, layer = ast.parse(source), layer_of(module)
    package = module if is_package else module.rpartition(".")[0]
    found = []
    for one in imports_of(tree, package):
        top = one.target.split(".")[0]
        target_layer = layer_of(one.target)
        if top == "dfslab":
            if target_layer not in MAY_IMPORT.get(layer, {target_layer}):
                found.append(f"{module}:{one.line}: {layer} may not import {one.target}")
            if not one.lazy and target_layer in LAZILY.get(layer, ()):
                found.append(f"{module}:{one.line}: {one.target} must be imported inside a function")
        elif layer == "core" and (top in IMPURE or top not in sys.stdlib_module_names):
            found.append(f"{module}:{one.line}: the core may not import {one.target}")
    if layer == "core":
        found += [f"{module}:{line}: the core may not call {name}" for line, name in impure_calls(tree)]
    return found


def impure_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield calls of builtins that do I/O, and of the random module's own, unseeded generator."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield node.lineno, node.func.id
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "random" and node.attr != "Random":
            yield node.lineno, f"random.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module == "random":
            yield from ((node.lineno, f"random.{alias.name}") for alias in node.names if alias.name != "Random")


def module_of(path: Path) -> str:
    parts = ["dfslab", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(path for path in ROOT.rglob("*.py") if not path.name.startswith("dfs_pb2"))


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    assert violations(module_of(path), path.read_text("utf-8"), is_package=path.name == "__init__.py") == []


def test_the_modules_are_found() -> None:
    names = {module_of(path) for path in MODULES}

    assert {"dfslab", "dfslab.core", "dfslab.core.master.master", "dfslab.core.errors"} <= names


# -- the checker itself -------------------------------------------------------------------------

PLANTED = [
    ("dfslab.core.x", "import time"),
    ("dfslab.core.x", "import os.path"),
    ("dfslab.core.x", "from pathlib import Path"),
    ("dfslab.core.x", "from concurrent.futures import Future"),
    ("dfslab.core.x", "import grpc"),
    ("dfslab.core.x", "import pandas as pd"),
    ("dfslab.core.x", "import dfslab"),
    ("dfslab.core.x", "from dfslab import cluster"),
    ("dfslab.core.x", "from dfslab.runtime import clock"),
    ("dfslab.core.x", "from ..runtime import clock"),
    ("dfslab.core.x", "from .. import runtime"),
    ("dfslab.core.x", "def f():\n    import socket"),
    ("dfslab.core.x", "class A:\n    def f(self):\n        if True:\n            from dfslab.views import tables"),
    ("dfslab.core.x", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from dfslab.client import Client"),
    ("dfslab.core.x", "def f(path):\n    return open(path)"),
    ("dfslab.core.x", "import random\nx = random.random()"),
    ("dfslab.core.x", "from random import choice"),
    ("dfslab.runtime.x", "from dfslab.client import Client"),
    ("dfslab.runtime.x", "from dfslab.lab import faults"),
    ("dfslab.runtime.x", "from dfslab import DfsError"),
    ("dfslab.runtime.x", "import importlib\nimportlib.import_module('dfslab.views')"),
    ("dfslab.sim.x", "from dfslab.runtime.clock import Clock"),
    ("dfslab.sim.x", "def f():\n    from dfslab.views import tables"),
    ("dfslab.views.plots.x", "import dfslab.runtime.clock"),
    ("dfslab.views.plots.x", "from ...runtime import clock"),
    ("dfslab.client.x", "from dfslab.views import tables"),
    ("dfslab.client.x", "from dfslab.lab import faults"),
    ("dfslab.lab.x", "from dfslab.views import tables"),
    ("dfslab.cluster", "from dfslab.views.plots import Plots"),
    ("dfslab", "from dfslab import views"),
    ("dfslab", "try:\n    import dfslab.sim\nexcept ImportError:\n    pass"),
]

ALLOWED = [
    ("dfslab.core.x", "import random\nrng = random.Random(7)\nfrom dataclasses import dataclass"),
    (
        "dfslab.core.master.x",
        "from dfslab.core.errors import DfsError\nfrom ..model import Version\nfrom . import repair",
    ),
    ("dfslab.runtime.x", "import time\nimport grpc\nfrom dfslab.core import model\nfrom dfslab.runtime import clock"),
    ("dfslab.sim.x", "import heapq\nfrom dfslab.core.master import Master\nfrom dfslab.sim import world"),
    ("dfslab.views.x", "import pandas\nfrom dfslab.core.trace import Trace\nfrom .style import COLORS"),
    ("dfslab.client.x", "import socket\nfrom dfslab.runtime import rpc\nfrom dfslab.core import upload"),
    ("dfslab.lab.x", "from dfslab.client import Client\ndef f():\n    from dfslab.views import tables"),
    ("dfslab.cluster", "import typing\nif typing.TYPE_CHECKING:\n    from dfslab.views.plots import Plots"),
    ("dfslab.cli.x", "from dfslab.views import tables\nimport dfslab"),
    ("dfslab.samples", "from dfslab import _mp4\nfrom dfslab.core.errors import SamplesMissing"),
    ("dfslab", "from dfslab.core.errors import DfsError\ndef __getattr__(name):\n    from dfslab import views"),
]


@pytest.mark.parametrize(("module", "source"), PLANTED)
def test_a_planted_violation_is_found(module: str, source: str) -> None:
    assert len(violations(module, source, is_package=module == "dfslab")) == 1


@pytest.mark.parametrize(("module", "source"), ALLOWED)
def test_what_is_allowed_is_not_complained_about(module: str, source: str) -> None:
    assert violations(module, source, is_package=module == "dfslab") == []


def test_a_violation_says_where_and_what() -> None:
    assert violations("dfslab.views.x", "import json\n\nfrom dfslab.runtime.clock import Clock\n") == [
        "dfslab.views.x:3: views may not import dfslab.runtime.clock.Clock"
    ]
