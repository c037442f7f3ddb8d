"""Options that several commands share, and the client that the file commands work with."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from dfslab.cli.tokens import given_token
from dfslab.client import Client
from dfslab.core.model import Address

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])


def _address(context: click.Context, option: click.Parameter, value: str) -> Address:
    try:
        return Address.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def master_option(command: F) -> F:
    """Add `--master`."""
    return click.option(
        "--master",
        callback=_address,
        metavar="HOST:PORT",
        default="127.0.0.1:7000",
        show_default=True,
        envvar="DFSLAB_MASTER",
        show_envvar=True,
        help="The master tracker.",
    )(command)


def token_option(command: F) -> F:
    """Add `--token-file`."""
    return click.option(
        "--token-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The file with the cluster's token; by default the token is taken from DFSLAB_TOKEN.",
    )(command)


def json_option(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def ends_on_sigterm() -> None:
    """Let SIGTERM unwind the main thread, as Ctrl-C does, so that temporary files are removed."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)


def with_client(command: Callable[Concatenate[Client, P], None]) -> Callable[..., None]:
    """Give a command a `Client` as its first argument, and the options that say of which cluster."""

    @master_option
    @token_option
    @click.option(
        "--ca",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        envvar="DFSLAB_CA",
        show_envvar=True,
        help="For a cluster with --tls: its ca.pem.",
    )
    @click.option(
        "--patience-s",
        type=click.FloatRange(min=0.0),
        metavar="SECONDS",
        default=5.0,
        show_default=True,
        help="How long a master that does not answer is asked again.",
    )
    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        options = ("master", "token_file", "ca", "patience_s")
        master, token_file, ca, patience_s = (kwargs.pop(name) for name in options)
        ends_on_sigterm()
        with Client(
            master,  # type: ignore[arg-type]
            token=given_token(token_file),  # type: ignore[arg-type]
            ca=ca,  # type: ignore[arg-type]
            patience_s=patience_s,  # type: ignore[arg-type]
        ) as client:
            command(client, *args, **kwargs)

    return run
