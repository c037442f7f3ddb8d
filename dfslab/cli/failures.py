"""How a command fails: one line on stderr and an exit code, never a traceback."""

from __future__ import annotations

import enum
from typing import Any

import click

from dfslab.core.errors import (
    BadToken,
    DfsError,
    DownloadFailed,
    FileUnavailable,
    InvalidName,
    InvalidOption,
    MasterUnavailable,
    NoLiveKeepers,
    NoSuchFile,
    NotEnoughKeepers,
    TargetUnwritable,
    UploadUnconfirmed,
)


class Exit(enum.IntEnum):
    """What a script can tell failures apart by; `dfslab --help` prints this table."""

    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NO_ACCESS = 4
    UNAVAILABLE = 5
    NOT_CHECKED = 6


INTERRUPTED = 130
"""Ctrl-C, as shells count it; SIGTERM is 143. A node ends with 0 after either."""

EXIT_TABLE = f"""\
Exit codes: 0 done, {Exit.FAILED:d} failed, {Exit.USAGE:d} wrong usage or a refused name or option,
{Exit.NOT_FOUND:d} not found, {Exit.NO_ACCESS:d} no access (token, permissions, a name that another keeper took),
{Exit.UNAVAILABLE:d} unavailable (no answer, or too few live keepers: try again later),
{Exit.NOT_CHECKED:d} not checked (fsck), 130 interrupted."""

_EXITS: tuple[tuple[Exit, tuple[type[BaseException], ...]], ...] = (
    (Exit.USAGE, (InvalidName, InvalidOption)),
    (Exit.NOT_FOUND, (FileNotFoundError,)),
    (Exit.NO_ACCESS, (PermissionError,)),
    (Exit.UNAVAILABLE, (ConnectionError, TimeoutError, DownloadFailed)),
)

_WORDS: dict[type[DfsError], str] = {
    NoSuchFile: "no file named {name!r}; `dfslab ls` lists what there is",
    NoLiveKeepers: "no live data keeper can take the file, so nothing was stored; "
    "start one with `dfslab keeper`, then try again",
    NotEnoughKeepers: "{wanted} copies need {wanted} live keepers, {live} can hold one; "
    "start more with `dfslab keeper`, then try again",
    FileUnavailable: "{name!r} is unavailable: none of the keepers that hold it answers ({holders}); "
    "start one of them again and it is back",
    UploadUnconfirmed: "{name!r} was not confirmed on {wanted} keepers within {waited_s:.1f} s ({copies} known); "
    "it may be stored: look with `dfslab stat`, or put it again",
    TargetUnwritable: "can't write {path!r}: {reason}; nothing was left there: name another place",
    BadToken: "{address} refused the token; pass the cluster's own with --token-file, or in DFSLAB_TOKEN",
    MasterUnavailable: "the master tracker at {address} does not answer ({reason}); {effect}: "
    "check --master, and that `dfslab master` runs there",
}
"""What to do next, where the error's own words speak of Python calls."""


class CommandFailed(Exception):
    """A failure of a command's own, with its exit code."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


def complain(message: str) -> None:
    """Print one line on stderr."""
    click.echo(f"dfslab: {' '.join(message.splitlines())}", err=True)


def exit_of(error: BaseException) -> Exit:
    """Return the exit code of an error, by the builtins that it derives from."""
    if isinstance(error, CommandFailed):
        return error.code
    return next((code for code, kinds in _EXITS if isinstance(error, kinds)), Exit.FAILED)


def words_of(error: BaseException) -> str:
    """Return what to say of an error."""
    if isinstance(error, DfsError):
        words = next((text for kind, text in _WORDS.items() if type(error).__init__ is kind.__init__), None)
        if words is None:
            return str(error)
        effect = "nothing was changed" if error.definite else "the request may have taken effect"
        fields = {key: ", ".join(value) if isinstance(value, list) else value for key, value in error.fields.items()}
        return words.format(effect=effect, **fields)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


class Commands(click.Group):
    """A group of commands whose known errors are one line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever reads the output has gone, as `head` does: click ends without a word
        except (CommandFailed, DfsError, OSError) as error:
            complain(words_of(error))
            ctx.exit(exit_of(error))
        except KeyboardInterrupt:
            complain("interrupted")
            ctx.exit(INTERRUPTED)
