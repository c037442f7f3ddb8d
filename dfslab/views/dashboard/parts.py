"""The parts of the dashboard that are text: header, transfers, feed. Every text is escaped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from dfslab.core.pretty import count_text, shortened, size_text
from dfslab.views.dashboard.observed import Observed
from dfslab.views.dashboard.told import SIGNS
from dfslab.views.snapshot import current_files, file_state, in_natural_order
from dfslab.views.transfers import Transfer

TRANSFERS_SHOWN = 8
FEED_SHOWN = 40
VERBS = {"upload": "↑ upload", "download": "↓ download", "copy": "⇄ copy"}


def summary_html(observed: Observed, moment: str) -> str:
    """Return the first line: which cluster, of which moment, how it is."""
    table, goal = observed.table, observed.setup.options.replicas
    alive = sum(1 for row in table.keepers.values() if row.is_alive)
    keepers = f"{alive} of {len(table.keepers)} keepers alive"
    states = [file_state(table.live_copies(file.version), goal) for file in current_files(table)]
    short, lost = sum(1 for state in states if state != "ok"), states.count("unavailable")
    files = count_text(len(states), "file")
    if not states:
        health = "<span>no files yet</span>"
    elif not short:
        health = f"<span class='up'>✓ {files}, each with {goal} live copies or more</span>"
    else:
        gone = f", {lost} unavailable" if lost else ""
        health = f"<span class='down'>✗ {files}: {short} short of {goal} live copies{gone}</span>"
    all_alive = "up" if alive == len(table.keepers) else "down"
    return (
        f"<div class='dfs-summary-line'><b>dfslab cluster {escape(observed.setup.name)}</b>"
        f"<span>{escape(moment)}</span><span class='{all_alive}'>{keepers}</span>{health}</div>"
    )


def transfers_html(observed: Observed) -> str:
    """Return what moves, with a bar each, and below it what was over last."""
    rows = list(observed.transfers.rows.values())
    running = [row for row in rows if row.state == "running"]
    over = sorted((row for row in rows if row.state != "running"), key=lambda row: row.end_s, reverse=True)
    shown = [*running, *over][:TRANSFERS_SHOWN]
    if not shown:
        return "<p class='dfs-none'>nothing has been transferred yet</p>"
    more = len(running) - len([row for row in shown if row.state == "running"])
    rest = f"<p class='dfs-more'>{more} more are running</p>" if more else ""
    return "<table class='dfs-table'><tbody>" + "".join(map(_transfer, shown)) + f"</tbody></table>{rest}"


def _transfer(row: Transfer) -> str:
    keepers = ", ".join(in_natural_order(row.served)) if row.kind == "download" else row.source
    way = f"{escape(keepers) or '?'} → {escape(row.target) or '?'}"
    return (
        f"<tr data-transfer='{escape(row.kind)}' data-state='{escape(row.state)}'><td>{VERBS[row.kind]}</td>"
        f"<td title='{escape(row.file_name)}'>{escape(shortened(row.file_name))}</td><td>{way}</td>"
        f"<td>{_bar(row)}</td><td>{_outcome(row)}</td></tr>"
    )


def _bar(row: Transfer) -> str:
    share = row.done_bytes / row.bytes if row.bytes else float(row.state == "done")
    percent = math.floor(100 * share)
    return (
        f"<div class='dfs-bar {escape(row.state)}' role='progressbar' aria-valuemin='0' aria-valuemax='100' "
        f"aria-valuenow='{percent}'><i style='width:{percent}%'></i></div>"
    )


def _outcome(row: Transfer) -> str:
    if row.state == "failed":
        return f"<span class='down' title='{escape(row.reason)}'>✗ failed</span>"
    if row.state == "running":
        return f"{size_text(row.done_bytes)} of {size_text(row.bytes)}" if row.bytes else "begins"
    rate = f", {row.throughput_mb_s:.3g} MB/s" if not math.isnan(row.throughput_mb_s) else ""
    return f"<span class='up'>✓</span> {size_text(row.bytes)}{rate}"


def feed_html(observed: Observed) -> str:
    """Return what happened in sentences, the newest first."""
    newest = list(observed.feed)[: -FEED_SHOWN - 1 : -1]
    if not newest:
        return "<p class='dfs-none'>nothing has happened yet</p>"
    lines = "".join(
        f"<li class='{told.tone}'><time>{told.time_s:.1f} s</time><i>{SIGNS[told.tone]}</i>{escape(told.text)}</li>"
        for told in newest
    )
    return f"<ol class='dfs-feed'>{lines}</ol>"


def notice_html(text: str, *, kind: str) -> str:
    """Return a line that must not be overlooked, or nothing."""
    return f"<div class='dfs-notice {kind}' role='alert'>{escape(text)}</div>" if text else ""


def history_html(entries: Sequence[tuple[str, str, str]]) -> str:
    """Return the lines of Python that the buttons ran, the newest first.

    Parameters
    ----------
    entries : sequence of (str, str, str)
        The Python, what became of it ("waits", "runs", "done" or "failed"), and what there is to say of it.
    """
    if not entries:
        return "<p class='dfs-none'>each button shows here the line of Python that it runs</p>"
    signs = {"waits": "…", "runs": "↻", "done": "✓", "failed": "✗"}
    lines = "".join(
        f"<li class='{state}'><i>{signs[state]}</i><code>{escape(python)}</code>"
        + (f"<span>{escape(said)}</span>" if said else "")
        + "</li>"
        for python, state, said in reversed(entries)
    )
    return f"<ol class='dfs-history'>{lines}</ol>"
