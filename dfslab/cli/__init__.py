"""The command line: `dfslab demo | master | keeper | put | get | ls | stat | rm | mv | table`.

The nodes run one process each, on one machine or several; the rest are clients of them.
"""

from dfslab.cli.commands import main

__all__ = ["main"]
