"""The dashboard without its widgets: HTML for a saved notebook, text for a terminal."""

from __future__ import annotations

from html import escape

from dfslab.core.nodes import is_keeper
from dfslab.core.pretty import size_text
from dfslab.views.dashboard.drawing import topology_image
from dfslab.views.dashboard.lookup import Filter, lookup_html
from dfslab.views.dashboard.observed import Node, Observed
from dfslab.views.dashboard.parts import feed_html, notice_html, summary_html, transfers_html
from dfslab.views.dashboard.stills import chart_image
from dfslab.views.dashboard.throughput import throughput
from dfslab.views.dashboard.timeline import timeline
from dfslab.views.dashboard.topology import asset, nodes_shown, word_of
from dfslab.views.html import SIGNS
from dfslab.views.snapshot import current_files, live_holders

FILES_IN_TEXT = 20


class Still:
    """A display object that shows one moment, also in a saved notebook and without JavaScript."""

    def __init__(self, html: str, text: str) -> None:
        self._html, self._text = html, text

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text


def still_html(observed: Observed, now: float, notice: str = "") -> str:
    """Return the moment as one piece of HTML that needs nothing else, below what must not be overlooked."""
    sections = [
        ("topology", topology_image(nodes_shown(observed))),
        ("nodes", _nodes_html(observed)),
        ("lookup table", lookup_html(observed, Filter())),
        ("live copies", chart_image(timeline(observed, now, None))),
        ("throughput", chart_image(throughput(observed, now, None))),
        ("transfers", transfers_html(observed)),
        ("what happened", f"<div style='max-height:220px;overflow:auto'>{feed_html(observed)}</div>"),
    ]
    body = "".join(f"<section><h4>{title}</h4>{html}</section>" for title, html in sections)
    head = notice_html(notice, kind="ended") + summary_html(observed, _at(now))
    return f"<div class='dfs-static'><style>{asset('look.css')}</style>{head}{body}</div>"


def still_text(observed: Observed, now: float, notice: str = "") -> str:
    """Return the moment as lines of text, below what must not be overlooked."""
    table, goal = observed.table, observed.setup.options.replicas
    lines = [notice] if notice else []
    lines += [f"dfslab cluster {observed.setup.name} {_at(now)}"]
    for node in observed.nodes():
        troubles = "".join(f", {what}" for what in node.troubles)
        lines.append(f"  {SIGNS[node.state]} {node.name:<10} {_word(node)}{_copies(node)}{troubles}")
    files = current_files(table)
    for file in files[:FILES_IN_TEXT]:
        holders = live_holders(table, file.version)
        sign = "✓" if len(holders) >= goal else "✗"
        where = ", ".join(holders) or "no live keeper"
        lines.append(
            f"  {sign} {file.file_name} ({size_text(file.size)}): {len(holders)} of {goal} live copies, on {where}"
        )
    if len(files) > FILES_IN_TEXT:
        lines.append(f"  and {len(files) - FILES_IN_TEXT} more files")
    return "\n".join(lines)


def _copies(node: Node) -> str:
    if not is_keeper(node.name):
        return ""
    return f", {node.replicas} {'copy' if node.replicas == 1 else 'copies'}"


def _at(now: float) -> str:
    return f"at {now:.1f} s"


def _word(node: Node) -> str:
    return word_of(node) or node.state


def _nodes_html(observed: Observed) -> str:
    chips = "".join(
        f"<tr><th scope='row'>{escape(node.name)}</th><td class='{'up' if node.state == 'running' else 'down'}'>"
        f"{SIGNS[node.state]} {escape(_word(node))}</td><td>{escape(', '.join(node.troubles))}</td>"
        f"<td>{node.replicas if is_keeper(node.name) else ''}</td></tr>"
        for node in observed.nodes()
    )
    heads = "".join(f"<th scope='col'>{head}</th>" for head in ("node", "state", "faults", "copies"))
    return f"<table class='dfs-table'><thead><tr>{heads}</tr></thead><tbody>{chips}</tbody></table>"
