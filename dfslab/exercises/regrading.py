"""Judging what was handed in from its source alone, whatever the rest of the notebook does.

A notebook's kernel is the student's: a cell of it can replace `check`. So the answer cells are taken out of the
notebook, with the imports of all cells, and run in a process of their own. That process hands over what they define,
and never sees the judge.
"""

from __future__ import annotations

import ast
import contextlib
import json
import linecache
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dfslab.exercises.checking import all_failed, judged
from dfslab.exercises.family import die_with_parent, kill_all
from dfslab.exercises.limits import START_S
from dfslab.exercises.listing import exercise, names
from dfslab.exercises.taking import NotTaken, Taken, take
from dfslab.exercises.verdict import Verdict


class NotANotebook(ValueError):
    """The file is no notebook."""


def regrade(notebook: Path) -> list[Verdict]:
    """Return the verdicts on a notebook's answers, in their order.

    The grade_id of an answer's cell is the name of its exercise.

    Raises
    ------
    NotANotebook
        It can't be read as one.
    """
    try:
        cells = [cell for cell in json.loads(notebook.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
        sources = ["".join(cell["source"]) for cell in cells]
    except (ValueError, KeyError, TypeError) as error:
        raise NotANotebook(f"{notebook} is no notebook: {error}") from error
    known = names()
    answers = [
        (meta["grade_id"], source)
        for cell, source in zip(cells, sources, strict=True)
        if (meta := cell.get("metadata", {}).get("nbgrader", {})).get("solution") and meta.get("grade_id") in known
    ]
    return [_verdict(name, form) for (name, _), form in zip(answers, _taken(sources, answers), strict=True)]


def submitted_name(name: str) -> str:
    """Return the name of what an exercise wants: the last that its starter defines.

    >>> submitted_name("timeout-detector")
    'MyDetector'
    """
    last = ast.parse(exercise(name).starter).body[-1]
    if isinstance(last, ast.ClassDef | ast.FunctionDef):
        return last.name
    assert isinstance(last, ast.Assign), f"the starter of {name} ends with neither a definition nor an assignment"
    (target,) = last.targets
    assert isinstance(target, ast.Name)
    return target.id


def _verdict(name: str, form: dict[str, str]) -> Verdict:
    if "error" in form:
        return all_failed(exercise(name), form["error"])
    return judged(exercise(name), Taken.loads(form["taken"].encode()))


def _taken(sources: list[str], answers: list[tuple[str, str]]) -> list[dict[str, str]]:
    """Have the answers run in a process of their own; return what it hands over, or why there is nothing."""
    wanted = [(name, source, submitted_name(name)) for name, source in answers]
    request = json.dumps({"imports": list(_imports(sources)), "answers": wanted}).encode()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "dfslab.exercises.regrading"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with process:
        try:
            out, _ = process.communicate(request, START_S * (1 + len(answers)))
            forms: list[dict[str, str]] = [json.loads(line) for line in out.splitlines()]
        except (subprocess.TimeoutExpired, ValueError):
            forms = []
        finally:
            if process.returncode is None:
                kill_all(process.pid)
    if len(forms) != len(answers):
        return [{"error": "its cells never end, or end the process, when they run by themselves"} for _ in answers]
    return forms


def _imports(sources: list[str]) -> Iterator[str]:
    for source in sources:
        with contextlib.suppress(SyntaxError):  # a cell with a magic, or one that was never finished
            for node in ast.parse(source).body:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield ast.unparse(node)


def _run(request: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Run the answers, and yield what each of them defines."""
    module = types.ModuleType("submission")
    sys.modules[module.__name__] = module
    missing: list[str] = []
    for line in request["imports"]:
        try:
            exec(line, vars(module))  # in the process that is there for it
        except Exception as error:  # noqa: BLE001  # an answer that does without it is judged all the same
            missing.append(f"; {line!r} failed before: {error}")
    for name, source, wanted in request["answers"]:
        file = f"<the answer to {name}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        vars(module).pop(wanted, None)  # an earlier answer's
        try:
            exec(compile(source, file, "exec"), vars(module))
            taken = take(getattr(module, wanted))
        except (Exception, SystemExit) as error:  # noqa: BLE001  # what the student's code raises can be anything
            said = str(error) if isinstance(error, NotTaken) else f"{type(error).__name__}: {error}"
            yield {"error": f"its cell defines no {wanted} that can be judged ({said}{''.join(missing)})"}
        else:
            yield {"taken": taken.dumps().decode()}


def main() -> None:
    """Take what is to be run; hand over what comes of it."""
    die_with_parent()
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what the cells print is nobody's
        for form in _run(json.load(sys.stdin)):
            answers.write(json.dumps(form).encode() + b"\n")
            answers.flush()


if __name__ == "__main__":
    main()
