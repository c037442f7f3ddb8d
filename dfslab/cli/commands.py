"""The commands, gathered."""

from __future__ import annotations

import os
import sys

import click

import dfslab
from dfslab.cli import catalog, course, demo, files, fsck, nodes, tables
from dfslab.cli.failures import EXIT_TABLE, Commands
from dfslab.cli.sim import sim

HELP = """A complete distributed file system: a master tracker, data keepers, and clients of them.

\b
See it work in a terminal:
  dfslab demo
\b
Run it by hand, one process a node, on one machine or several:
  export DFSLAB_TOKEN=$(head -c 24 /dev/urandom | base64)
  dfslab master --root m &
  dfslab keeper --name keeper-1 --root k1 &
  dfslab keeper --name keeper-2 --root k2 &
  dfslab keeper --name keeper-3 --root k3 &
  dfslab put clip.mp4
  dfslab table
  dfslab get clip.mp4 copy.mp4
"""


@click.group(
    cls=Commands,
    help=HELP,
    epilog=f"\b\n{EXIT_TABLE}",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(dfslab.__version__, prog_name="dfslab", message="%(prog)s %(version)s")
@click.pass_context
def dfs(context: click.Context) -> None:
    """Set the output up; the text of `--help` is above."""
    if os.environ.get("NO_COLOR"):
        context.color = False
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a name that the terminal can't show must not end the command


for command in (
    demo.demo,
    nodes.master,
    nodes.keeper,
    files.put,
    files.get,
    files.ls,
    files.stat,
    files.rm,
    files.mv,
    tables.table,
    fsck.fsck,
    catalog.backup,
    catalog.restore,
    sim,
    course.course,
    course.exercises,
):
    dfs.add_command(command)


def main() -> None:
    """Run `dfslab` with the arguments of this process."""
    dfs.main(prog_name="dfslab")
