"""Nothing that comes over a wire or lies on a disk becomes code: no pickle, no eval, nowhere in dfslab."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import dfslab

ROOT = Path(dfslab.__file__).parent
SUBMISSIONS = {ROOT / "exercises" / f"{name}.py" for name in ("taking", "worker", "regrading")}
"""What takes a student's own code from the student's notebook to a process of its own, which is there to run it."""
MODULES = sorted({*ROOT.rglob("*.py")} - SUBMISSIONS)

LOADERS = frozenset(
    {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "jsonpickle"}
)
"""Modules whose loaders run what they read, or can be made to."""
CALLS = frozenset({"eval", "exec", "compile", "__import__"})
LOADING = frozenset({"read_pickle", "to_pickle", "unsafe_load", "full_load"})
SHELLS = frozenset({"system", "popen"})


def offences(source: str) -> Iterator[str]:
    """Yield a sentence for everything in a module that could make code of data."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        yield from (f"line {node.lineno}: imports {name}" for name in names if name.split(".")[0] in LOADERS)  # type: ignore[attr-defined]
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in CALLS:
            yield f"line {node.lineno}: calls {called.id}"
        if isinstance(called, ast.Attribute):
            owner = ast.unparse(called.value)
            if called.attr in LOADING or (owner == "os" and called.attr in SHELLS) or (owner, called.attr) in BUILTINS:
                yield f"line {node.lineno}: calls {owner}.{called.attr}"
        for keyword in node.keywords:
            given = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if keyword.arg == "allow_pickle" and given is not False:
                yield f"line {node.lineno}: allows pickle"
            if keyword.arg == "shell" and given is not False:
                yield f"line {node.lineno}: uses a shell"


BUILTINS = {("builtins", name) for name in CALLS}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_makes_no_code_of_data(path: Path) -> None:
    assert list(offences(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "import pickle as p",
        "from marshal import loads",
        "def f():\n    from yaml import load",
        "eval('1')",
        "exec(text)",
        "builtins.exec(text)",
        "code = compile(text, 'x', 'exec')",
        "frame.to_pickle(path)",
        "numpy.load(path, allow_pickle=True)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "__import__(name)",
    ],
)
def test_what_is_planted_is_found(planted: str) -> None:
    assert len(list(offences(planted))) == 1


def test_a_submission_is_made_code_again_only_in_its_own_process() -> None:
    sources = {path.stem: path.read_text("utf-8") for path in SUBMISSIONS}
    found = {name: [one.partition(": ")[2] for one in offences(source)] for name, source in sources.items()}
    running = ["calls exec", "calls exec", "calls compile"]
    assert found == {"taking": ["imports cloudpickle"], "worker": ["imports pickle"], "regrading": running}
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(sources["taking"])) if isinstance(node, ast.Call)}
    assert "cloudpickle.dumps" in called
    assert not called & {"cloudpickle.load", "cloudpickle.loads"}


def test_what_only_looks_like_it_is_not() -> None:
    assert list(offences("re.compile('x')\nnumpy.load(path, allow_pickle=False)\nimport json\nself.exec()")) == []
