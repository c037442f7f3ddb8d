"""Building the course: the notebooks as students get them, and all that they need to work without a network.

The notebooks are stripped by nbgrader's own steps, in the order of `nbgrader generate_assignment`. The package that
goes with them is the project's wheel, which leaves `dfslab.exercises.solutions` out (pyproject.toml says so).
nbgrader and hatchling come with `dfslab[course]`; nothing else of dfslab needs them.
"""

from __future__ import annotations

import importlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dfslab
from dfslab.core.errors import InvalidOption

CHECKOUT = Path(dfslab.__file__).parents[1]
SOLUTIONS = "dfslab/exercises/solutions"
STEPS = (
    "LockCells",
    "ClearSolutions",
    "ClearOutput",
    "CheckCellMetadata",
    "ComputeChecksums",
    "ClearHiddenTests",
    "ClearMarkScheme",
    "ComputeChecksums",
    "CheckCellMetadata",
)
"""Preprocessors of nbgrader: those of its generate_assignment, without header, test templates and database."""
CELL_TIMEOUT_S = 120
"""How long a cell may take while it is graded; a check answers within 30 s, on a busy server too."""

README = """\
# The course on distributed file systems

You need Python 3.11 or newer on Linux. In this folder:

    python3 -m venv .venv
    .venv/bin/pip install {wheel}
    .venv/bin/jupyter notebook notebooks/

Begin with `{first}`. Write your answers where it says `YOUR CODE HERE`; the cell
below each of them judges what you wrote, as often as you like, and shows your points.
"""

CONFIG = """\
# Configuration of nbgrader, read in this folder: nbgrader generate_assignment NAME, nbgrader autograde NAME.
c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "dfslab"
# A cell that checks an exercise may take half a minute, and nbgrader's own limit is 30 s.
c.Execute.timeout = {timeout_s}
"""


class CannotBuild(RuntimeError):
    """The course can't be built from what is there; nothing was written."""


@dataclass(frozen=True)
class Built:
    """What a build has written.

    Attributes
    ----------
    folder : pathlib.Path
    notebooks : tuple of str
        Their names, in the course's order.
    exercises : int
        Graded cells in them.
    points : float
        That those give together.
    """

    folder: Path
    notebooks: tuple[str, ...]
    exercises: int
    points: float


def build_student(out: Path, checkout: Path = CHECKOUT) -> Built:
    """Write what is handed out to students: notebooks without solutions, and the package without them.

    Parameters
    ----------
    out : pathlib.Path
        The folder to make; it may be there already when it is empty.
    checkout : pathlib.Path
        The project's source.

    Raises
    ------
    InvalidOption
        `out` can't be made.
    CannotBuild
        `checkout` is none, a notebook is not valid, or nbgrader or hatchling is missing.
    """
    sources = _sources(checkout)
    _check_free("student", out)
    with _Room(out) as room:
        (room / "notebooks").mkdir()
        cells = [0.0]
        for source in sources:
            notebook = stripped(source)
            cells += [float(meta["points"]) for meta in _graded(notebook)]
            _write(notebook, room / "notebooks" / source.name)
            for linked in _linked(notebook, source, checkout):
                target = room / linked.relative_to(checkout)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(linked, target)
        wheel = _wheel(checkout, room)
        (room / "README.md").write_text(README.format(wheel=wheel.name, first=f"notebooks/{sources[0].name}"), "utf-8")
    return Built(out, tuple(source.name for source in sources), len(cells) - 1, sum(cells))


def build_instructor(out: Path, checkout: Path = CHECKOUT) -> Built:
    """Write a course folder for nbgrader: an assignment for each notebook that has graded cells, with its solutions.

    Parameters and errors are those of `build_student`.
    """
    sources = _sources(checkout)
    _check_free("instructor", out)
    names, points = list[str](), list[float]()
    with _Room(out) as room:
        for source in sources:
            notebook = _read(source)
            if graded := _graded(notebook):
                names.append(source.name)
                points += [float(meta["points"]) for meta in graded]
                target = room / "source" / source.stem / source.name
                target.parent.mkdir(parents=True)
                _write(notebook, target)
        (room / "nbgrader_config.py").write_text(CONFIG.format(timeout_s=CELL_TIMEOUT_S), "utf-8")
    return Built(out, tuple(names), len(points), sum(points))


def stripped(path: Path) -> Any:
    """Return a notebook as students get it: `nbformat.NotebookNode`.

    Solutions are replaced by a stub, as nbgrader's ClearSolutions does; outputs and widgets' states are cleared;
    graded cells can't be edited, nor deleted, nor can cells that hold an answer be deleted.
    """
    from traitlets.config import Config

    notebook, preprocessors = _read(path), _nbgrader("preprocessors")
    resources: dict[str, Any] = {}
    for step in STEPS:
        try:
            preprocessor = getattr(preprocessors, step)(config=Config())
            preprocessor.log.setLevel("CRITICAL")  # what it has to say, the error says
            notebook, resources = preprocessor.preprocess(notebook, resources)
        except (RuntimeError, ValueError) as error:
            raise CannotBuild(f"{path.name}: {error}") from error
    notebook.metadata.pop("widgets", None)
    return notebook


def _nbgrader(module: str) -> Any:
    try:
        return importlib.import_module(f"nbgrader.{module}")
    except ImportError as error:
        raise CannotBuild(f"nbgrader is not installed ({error}); pip install 'dfslab[course]'") from error


def _read(path: Path) -> Any:
    import nbformat

    notebook, form = nbformat.read(path, as_version=4), _nbgrader("nbgraderformat")
    try:
        nbformat.validate(notebook)
        form.MetadataValidator().validate_nb(notebook)
    except (nbformat.ValidationError, form.ValidationError) as error:
        raise CannotBuild(f"{path.name}: {str(error).splitlines()[0]}") from error
    return notebook


def _write(notebook: Any, path: Path) -> None:
    import nbformat

    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def _graded(notebook: Any) -> list[Any]:
    metas = [cell.metadata.get("nbgrader", {}) for cell in notebook.cells]
    return [meta for meta in metas if meta.get("grade")]


_LINK = re.compile(r"""\]\(([^)\s#]+)|src=["']([^"'#]+)""")


def _linked(notebook: Any, source: Path, checkout: Path) -> Iterator[Path]:
    """Yield the checkout's files, other than notebooks, that a notebook's texts link to."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for link in _LINK.findall(cell.source):
                path = (source.parent / (link[0] or link[1])).resolve()
                if path.is_file() and path.is_relative_to(checkout.resolve()) and path.suffix != ".ipynb":
                    yield checkout / path.relative_to(checkout.resolve())


def _sources(checkout: Path) -> list[Path]:
    sources = sorted((checkout / "notebooks").glob("*.ipynb"))
    if not sources or not (checkout / "pyproject.toml").is_file() or not (checkout / SOLUTIONS).is_dir():
        where = f"{checkout} is no checkout of dfslab with notebooks/ and {SOLUTIONS}/"
        raise CannotBuild(f"{where}: an installed package carries neither; build from the source")
    return sources


def _wheel(checkout: Path, out: Path) -> Path:
    """Build the package, and make sure that it carries no solution."""
    try:
        from hatchling.builders.wheel import WheelBuilder
    except ImportError as error:
        raise CannotBuild(f"hatchling is not installed ({error}); pip install 'dfslab[course]'") from error
    wheel = Path(next(iter(WheelBuilder(str(checkout)).build(directory=str(out), versions=["standard"]))))
    with zipfile.ZipFile(wheel) as archive:
        if any(name.startswith(SOLUTIONS) for name in archive.namelist()):
            raise CannotBuild(f"the wheel would carry {SOLUTIONS}: pyproject.toml must exclude it")
    return wheel


def _check_free(option: str, out: Path) -> None:
    """Raise InvalidOption unless a folder can be made there."""
    reason = ""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        reason = "it exists, and is not a folder"
    elif out.is_dir() and any(out.iterdir()):
        reason = "it exists, and is not empty; name a new folder"
    elif not out.resolve().parent.is_dir():
        reason = f"there is no folder {out.resolve().parent}"
    if reason:
        raise InvalidOption(option=option, value=repr(str(out)), reason=reason)


class _Room:
    """A folder that takes the place of `out` when all went well, and is gone when it did not."""

    def __init__(self, out: Path) -> None:
        self._out = out.resolve()

    def __enter__(self) -> Path:
        self._room = Path(tempfile.mkdtemp(prefix=f".{self._out.name}-", dir=self._out.parent))
        return self._room

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._room.chmod(0o755)
                self._room.rename(self._out)  # replaces an empty folder, and no other
        finally:
            shutil.rmtree(self._room, ignore_errors=True)
