"""Names in docstrings lead to where they are documented, in the forms in which people write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docutils.nodes import Element, Text, document
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole
from sphinx.util.typing import ExtensionMetadata

SPOKEN = {
    "cluster.plot": "dfslab.views.plots.Plots",
    "cluster.trace": "dfslab.views.exports.Events",
    "cluster": "dfslab.cluster.Cluster",
    "client": "dfslab.Client",
}
"""What people call an object of a class, the longest first."""
CLASSES = ("class", "exception")


class Name(XRefRole):
    """What stands in backticks: a link to what it names, if that is documented; `.chunks` is the same as `chunks`."""

    def process_link(
        self, env: BuildEnvironment, refnode: Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        """Look for it among Python's names, those of the class and the module at hand first."""
        place = {f"py:{kind}": env.ref_context.get(f"py:{kind}") for kind in ("module", "class")}
        refnode.attributes.update(place, refdomain="py", reftype="obj")
        return title, target.lstrip(".")


def find(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: Element) -> Element | None:
    """Return a link for a name of Python that was not found as it is written."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    for name in _full_names(node["reftarget"].partition("(")[0], domain.objects):
        if name in domain.objects:
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, contnode)
    return None


def _full_names(written: str, documented: Mapping[str, Any]) -> Iterator[str]:
    """Yield under which full names what is written may be documented."""
    yield from (f"{place}.{written}" for place in ("dfslab", "dfslab.cluster"))
    for spoken, full in SPOKEN.items():
        if written.startswith(f"{spoken}."):
            yield full + written.removeprefix(spoken)
    same = [name for name, known in documented.items() if known.objtype in CLASSES and not known.aliased]
    ends_alike = [name for name in same if name.rpartition(".")[2] == written]
    if len(ends_alike) == 1:
        yield from ends_alike


def signature_for_readers(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Leave out the signatures of errors, and of what users do not make or call themselves."""
    if what == "exception" or name in app.config.names_without_signature:
        return "", ""
    return signature and signature.replace("<factory>", "..."), returns


def as_text(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Keep napoleon from taking what is before a colon in a property's docstring for its type."""
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # an empty comment


def examples_as_code(app: Sphinx, context: object, lines: list[str]) -> None:
    """Show what a command's help does not want to have wrapped as it stands."""
    shown: list[str] = []
    for line in lines:
        text = line.removeprefix("| ")
        if text == line:
            shown.append(line)
        elif text.startswith(" "):
            shown.append(text)
        else:
            shown += ["", f"{text}:" if text.endswith(":") else text, ""]
    lines[:] = shown


def with_dashes(app: Sphinx, doctree: document) -> None:
    """Put a dash between a parameter and what is said of it, where there are two hyphens."""
    for text in list(doctree.findall(Text)):
        if text.startswith((" -- ", ") -- ")):
            text.parent.replace(text, Text(text.replace(" -- ", " – ", 1)))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Connect them to autodoc, sphinx-click and the search for names."""
    app.add_role("name", Name())
    app.add_config_value("names_without_signature", (), "env")
    app.connect("missing-reference", find)
    app.connect("autodoc-process-signature", signature_for_readers)
    app.connect("autodoc-process-docstring", as_text, priority=400)  # before napoleon
    app.connect("doctree-read", with_dashes)
    app.connect("sphinx-click-process-description", examples_as_code)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
