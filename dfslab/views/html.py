"""A cluster as static HTML: what a notebook shows for a cell that ends with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from dfslab.core.history import Table
from dfslab.core.pretty import count_text, size_text
from dfslab.views.snapshot import current_files, in_natural_order, load_by_keeper

SIGNS = {
    "alive": "●",
    "running": "●",
    "draining": "◐",
    "paused": "‖",
    "unseen": "○",
    "unknown": "○",
    "dead": "✗",
    "decommissioned": "–",
}
WELL = frozenset({"alive", "running"})
ROWS_A_BLOCK = 10
MAX_BLOCKS = 3

CELL = "padding:1px 8px 1px 0;text-align:left;border:0;background:none;white-space:nowrap"
NUMBER = CELL.replace("text-align:left", "text-align:right")
HEADS = ("keeper", "master sees", "really", "replicas", "stored")


def cluster_html(name: str, where: str, table: Table | None, states: Mapping[str, str], replicas: int) -> str:
    """Return a cluster's summary: readable on light and dark pages, every text escaped, no script.

    Parameters
    ----------
    name, where : str
        The cluster, and where its master is or that it is closed.
    table : Table or None
        A snapshot; None for a closed cluster.
    states : mapping of str to str
        What the laboratory has done to each keeper.
    replicas : int
        Live copies that every file should have.
    """
    head = f"<div><b>dfslab cluster {escape(name)}</b>: {escape(where)}</div>"
    body = "" if table is None else _files_line(table, replicas) + _blocks(_rows(table, states))
    return f"<div class='dfs-cluster' style='font-size:90%;line-height:1.4'>{head}{body}</div>"


def _files_line(table: Table, replicas: int) -> str:
    """Say how many files there are, and how many of them have fewer live copies than they should."""
    files = current_files(table)
    live = [table.live_copies(file.version) for file in files]
    short, unavailable = sum(1 for copies in live if copies < replicas), live.count(0)
    goal = count_text(replicas, "live copy", "live copies")
    if short:
        health = f"<b>{short} short of {goal}</b>" + (f", <b>{unavailable} unavailable</b>" if unavailable else "")
    else:
        health = f"all with {goal} or more"
    size = size_text(sum(file.size for file in files))
    text = f"{count_text(len(files), 'file', 'files')}, {size}: {health}" if files else "no files yet"
    return f"<div data-files='{len(files)}' data-short='{short}'>{text}</div>"


def _rows(table: Table, states: Mapping[str, str]) -> list[str]:
    load = load_by_keeper(table)
    rows = []
    for keeper in in_natural_order([*table.keepers, *states]):
        seen = table.keepers[keeper].state if keeper in table.keepers else "unknown"
        cells = (
            f"<th scope='row' style='{CELL};font-weight:normal'>{escape(keeper)}</th>"
            f"<td style='{CELL}'>{_state(seen)}</td>"
            f"<td style='{CELL}'>{_state(str(states.get(keeper, 'unknown')))}</td>"
            f"<td style='{NUMBER}'>{load[keeper].replicas}</td>"
            f"<td style='{NUMBER}'>{size_text(load[keeper].stored_bytes)}</td>"
        )
        tags = f"data-keeper='{escape(keeper)}' data-state='{escape(seen)}'"
        rows.append(f"<tr {tags} style='background:none'>{cells}</tr>")
    return rows


def _state(state: str) -> str:
    text = f"{SIGNS.get(state, '')} {escape(state)}"
    return text if state in WELL else f"<b>{text}</b>"


def _blocks(rows: Sequence[str]) -> str:
    """Put many keepers into tables side by side, which a narrow page shows below each other."""
    size = max(ROWS_A_BLOCK, math.ceil(len(rows) / MAX_BLOCKS))
    heads = "".join(f"<th scope='col' style='{NUMBER if head in HEADS[3:] else CELL}'>{head}</th>" for head in HEADS)
    blocks = "".join(
        "<table style='margin:4px 24px 0 0;border-collapse:collapse;border:0;color:inherit;font-size:inherit'>"
        f"<thead><tr style='background:none'>{heads}</tr></thead>"
        f"<tbody>{''.join(rows[start : start + size])}</tbody></table>"
        for start in range(0, len(rows), size)
    )
    return f"<div style='display:flex;flex-wrap:wrap;align-items:flex-start'>{blocks}</div>"
