"""What is registered by name in dfslab is listed by itself: its policies and its exercises."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from dfslab import exercises
from dfslab.core.policies import POLICIES


class RegisteredPolicies(SphinxDirective):
    """The policies of one kind, in reStructuredText: `.. registered-policies:: placement`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return each name, and the docstring of its class."""
        kind = self.arguments[0]
        text = "".join(
            f'``{kind}="{name}"``\n\n.. autoclass:: {policy.__module__}.{policy.__qualname__}\n\n'
            for name, policy in POLICIES[kind].items()
        )
        return self.parse_text_to_nodes(text)


class ExerciseCatalog(SphinxDirective):
    """Every exercise, notebook by notebook, in Markdown."""

    def run(self) -> list[nodes.Node]:
        """Return a section an exercise: what it asks for, and what is checked for how many points."""
        known = sorted(map(exercises.exercise, exercises.names()), key=lambda one: (one.notebook, one.name))
        return self.parse_text_to_nodes("\n".join(map(self._text, known)), allow_section_headings=True)

    def _text(self, exercise: exercises.Exercise) -> str:
        notebook = f"notebooks/{exercise.notebook}"
        where = f"[{exercise.notebook}](/{notebook}.ipynb)" if notebook in self.env.found_docs else exercise.notebook
        lines = [
            f"## {exercise.title}",
            f"`{exercise.name}`, {exercise.points:g} points, in {where}",
            exercise.spec.strip(),
            "Its checks, in the order of difficulty:",
            "\n".join(f"- {check.name} ({check.points:g})" for check in exercise.checks),
        ]
        return "\n\n".join(lines) + "\n"


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the two directives."""
    app.add_directive("registered-policies", RegisteredPolicies)
    app.add_directive("exercise-catalog", ExerciseCatalog)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
