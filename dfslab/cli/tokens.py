"""The cluster's token: from the environment or a file, never from the command line, which `ps` shows to everybody."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from dfslab.cli.failures import CommandFailed, Exit

VARIABLE = "DFSLAB_TOKEN"


def given_token(token_file: Path | None) -> str:
    """Return the token of a cluster that exists: from `--token-file`, else from DFSLAB_TOKEN."""
    if token_file is not None:
        return _read(token_file)
    if VARIABLE in os.environ:
        return _check(os.environ[VARIABLE], VARIABLE)
    raise CommandFailed(f"no token: pass --token-file with the master's, or set {VARIABLE}", Exit.USAGE)


def master_token(token_file: Path | None, root: Path) -> tuple[str, str]:
    """Return a master's token, drawn at random into its file if that is missing, and where others find it."""
    if token_file is None and VARIABLE in os.environ:
        return _check(os.environ[VARIABLE], VARIABLE), VARIABLE
    path = (token_file or root / "token").absolute()
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _read(path), str(path)
    with open(fd, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    return _read(path), str(path)


def _read(path: Path) -> str:
    return _check(path.read_text(encoding="utf-8", errors="replace"), str(path))


def _check(text: str, where: str) -> str:
    token = text.strip()
    if not token:
        raise CommandFailed(f"the token in {where} is empty", Exit.USAGE)
    if not token.isascii() or not token.isprintable():
        raise CommandFailed(f"the token in {where} is not one line of printable ASCII", Exit.USAGE)
    return token
