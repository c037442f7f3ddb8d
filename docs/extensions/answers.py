"""Notebooks are shown as students get them: without the solutions that the committed ones hold."""

from __future__ import annotations

import nbformat
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata


def without_solutions(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put nbgrader's stub in the place of every solution, before the notebook is read."""
    if app.env.doc2path(docname).suffix != ".ipynb":
        return
    notebook = nbformat.reads(source[0], as_version=4)
    for step in (ClearSolutions, ClearHiddenTests):
        notebook, _ = step().preprocess(notebook, {})
    source[0] = nbformat.writes(notebook)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Do so with every source that is read."""
    app.connect("source-read", without_solutions)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
