"""The lookup table as HTML: one row a replica, its liveness by colour, sign and word; filtered and capped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from dfslab.core.history import FileRow, ReplicaRow, Table
from dfslab.core.pretty import count_text, shortened, size_text
from dfslab.views.dashboard.observed import Observed
from dfslab.views.snapshot import current_files, replicas_of

ROWS_SHOWN = 48
ALL, SHORT, DEAD = "all files", "short of copies", "with a dead keeper"
HEADS = "".join(f"<th scope='col'>{head}</th>" for head in ("file_name", "data_node", "is_alive", "state", "file_path"))
STATES = {"valid": "✓ valid", "corrupt": "✗ corrupt", "dropping": "– being deleted"}


@dataclass(frozen=True)
class Filter:
    """Which files are shown: those with `text` in their own or a keeper's name, and of these `only` some."""

    text: str = ""
    only: str = ALL

    def lets_pass(self, table: Table, file: FileRow, goal: int) -> bool:
        """Return True for a file that is to be shown."""
        keepers = table.replicas.get(file.version, {})
        words = self.text.lower().split()
        if not all(word in file.file_name.lower() or word in keepers for word in words):
            return False
        if self.only == SHORT:
            return table.live_copies(file.version) < goal
        return self.only != DEAD or any(not table.is_alive(keeper) for keeper in keepers)


def lookup_html(observed: Observed, wanted: Filter) -> str:
    """Return the table of the files that `wanted` lets pass, at most `ROWS_SHOWN` rows, and how many more there are."""
    table, goal = observed.table, observed.setup.options.replicas
    files = [file for file in current_files(table) if wanted.lets_pass(table, file, goal)]
    copying = _copies_under_way(observed)
    body, rows, shown = "", 0, 0
    for file in files:
        if rows >= ROWS_SHOWN:
            break
        group = _rows(table, file, goal, copying.get(file.version, {}))
        body += f"<tbody data-file='{escape(file.file_name)}'>{''.join(group)}</tbody>"
        rows, shown = rows + len(group), shown + 1
    if not body:
        return f"<p class='dfs-none'>{'no file matches' if table.files else 'no files yet'}</p>"
    more = len(files) - shown
    rest = f"<p class='dfs-more'>{count_text(more, 'more file')}; the filter finds them</p>" if more else ""
    return f"<table class='dfs-table dfs-rows'><thead><tr>{HEADS}</tr></thead>{body}</table>{rest}"


def _copies_under_way(observed: Observed) -> dict[str, dict[str, str]]:
    """Return, by version and keeper, how far the copies are that are not in the table yet."""
    found: dict[str, dict[str, str]] = {}
    for row in observed.transfers.rows.values():
        if row.kind == "copy" and row.state == "running":
            share = f" {100 * row.done_bytes // row.bytes} %" if row.bytes and row.done_bytes else ""
            found.setdefault(row.version, {})[row.target] = f"⇄ copying{share}"
    return found


def _rows(table: Table, file: FileRow, goal: int, copying: Mapping[str, str]) -> list[str]:
    """Return the rows of one file, the first with its name over all of them."""
    replicas = replicas_of(table, file.version)
    there = {replica.keeper for replica in replicas}
    rows = [(replica.keeper, _cells(table, replica)) for replica in replicas]
    for keeper, said in copying.items():
        if keeper not in there:
            rows.append((keeper, f"{_liveness(table, keeper)}<td class='going'>{said}</td><td></td>"))
    rows = rows or [("", "<td colspan='4' class='down'>✗ no copy is known</td>")]
    names = [_name_cell(table, file, goal, len(rows)), *[""] * (len(rows) - 1)]
    return [
        f"<tr data-keeper='{escape(keeper)}'>{name}{cells}</tr>"
        for name, (keeper, cells) in zip(names, rows, strict=True)
    ]


def _name_cell(table: Table, file: FileRow, goal: int, rows: int) -> str:
    live = table.live_copies(file.version)
    health, sign = ("up", "✓") if live >= goal else ("down", "✗")
    return (
        f"<th scope='rowgroup' rowspan='{rows}' title='{escape(file.file_name)}'>{escape(shortened(file.file_name))}"
        f"<small>{size_text(file.size)}, <span class='{health}'>{sign} {live} of {goal} live</span></small></th>"
    )


def _cells(table: Table, replica: ReplicaRow) -> str:
    state = STATES.get(replica.state, replica.state)
    well = "" if replica.state == "valid" else " class='down'"
    path = f"<td class='path'><bdi>{escape(replica.path)}</bdi></td>"
    return f"{_liveness(table, replica.keeper)}<td{well}>{escape(state)}</td>{path}"


def _liveness(table: Table, keeper: str) -> str:
    alive = "<td class='up'>● alive</td>" if table.is_alive(keeper) else "<td class='down'>✗ dead</td>"
    return f"<td>{escape(keeper)}</td>{alive}"
