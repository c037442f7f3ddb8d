"""Names: delete and rename."""

from __future__ import annotations

from dfslab.core.errors import FileAlreadyExists
from dfslab.core.master.events import Delete, Rename
from dfslab.core.master.instructions import PutVersion
from dfslab.core.master.state import Effects, MasterState
from dfslab.core.master.uploads import retire
from dfslab.core.names import check_name
from dfslab.core.trace import Kind


def on_delete(state: MasterState, event: Delete, now: float, out: Effects) -> None:
    """Take a name away, durably, then have its replicas dropped."""
    version = state.table.delete(check_name(event.name))
    out.record(PutVersion(version))
    out.reply(event.request, None)
    retire(state, version, now, out, "", reason="deleted")


def on_rename(state: MasterState, event: Rename, now: float, out: Effects) -> None:
    """Give a file a new name, which must be free; its version and replicas stay."""
    check_name(event.old)
    check_name(event.new)
    state.table.current(event.old)
    if event.new in state.table.names:
        raise FileAlreadyExists(name=event.new)
    version = state.table.rename(event.old, event.new)
    state.backlog.changed(version.id)
    out.record(PutVersion(version))
    out.note(Kind.FILE_RENAMED, version=version, old=event.old)
    out.reply(event.request, state.file_info(version))
