"""The commands for files: put, get, ls, stat, rm, mv."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from dfslab.cli.failures import complain, exit_of, words_of
from dfslab.cli.options import json_option, with_client
from dfslab.cli.text import columns, rate
from dfslab.client import Client
from dfslab.core.errors import BadToken, DfsError, MasterUnavailable
from dfslab.core.model import FileInfo
from dfslab.core.pretty import size_text

T = TypeVar("T")


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--name", metavar="NAME", help="Its name in the file system; with a '/' at the end, the files go under it."
)
@click.option("--ack", type=int, metavar="N", help="Durable copies to wait for; by default the cluster's.")
@with_client
def put(client: Client, paths: tuple[Path, ...], name: str | None, ack: int | None) -> None:
    """Upload files, and return once each is acknowledged.

    A name that exists gets a new version; readers get the old one or the new one, whole.

    \b
    Examples:
      dfslab put clip.mp4
      dfslab put clip.mp4 --name course/week-1.mp4 --ack 2
      dfslab put *.mp4 --name course/
    """
    if len(paths) > 1 and name is not None and not name.endswith("/"):
        raise click.UsageError("--name of several files must end with '/'")

    def upload(path: Path) -> None:
        target = name + path.name if name is not None and name.endswith("/") else name
        info = client.upload(path, target, ack_replicas=ack, progress=sys.stderr.isatty())
        click.echo(f"{info.name}: {_speed(info.size, info.seconds or 0.0)}, on {', '.join(info.holders)}")

    _each(upload, paths)


@click.command(short_help="Download a file from all its keepers in parallel.")
@click.argument("name")
@click.argument("target", required=False, type=click.Path(path_type=Path))
@with_client
def get(client: Client, name: str, target: Path | None) -> None:
    """Download a file from all the keepers that hold it, in parallel, and check every block.

    TARGET is a file, or a folder to put it in; by default the working folder. The file appears
    there when it is whole.

    \b
    Examples:
      dfslab get clip.mp4
      dfslab get course/week-1.mp4 ~/Videos
    """
    done = client.download(name, target, progress=sys.stderr.isatty())
    keepers = ", ".join(done.bytes_by_keeper()) or "nobody, it is empty"
    click.echo(f"{done.path}: {_speed(done.size, done.seconds)}, from {keepers}")


@click.command(short_help="List files: size, live copies, name.")
@click.argument("prefix", default="")
@json_option
@with_client
def ls(client: Client, prefix: str, as_json: bool) -> None:
    """List the files whose names start with PREFIX: size, live copies, name.

    \b
    Examples:
      dfslab ls
      dfslab ls course/ --json
    """
    infos = client.list(prefix)
    if as_json:
        click.echo(json.dumps([_as_dict(info) for info in infos], indent=2))
    elif infos:
        rows = [(size_text(info.size), str(len(info.holders)), info.name) for info in infos]
        for line in columns(("size", "copies", "name"), rows, right=("size", "copies")):
            click.echo(line)


@click.command()
@click.argument("name")
@json_option
@with_client
def stat(client: Client, name: str, as_json: bool) -> None:
    """Say what is known of one file.

    \b
    Example:
      dfslab stat course/week-1.mp4
    """
    info = client.stat(name)
    if as_json:
        click.echo(json.dumps(_as_dict(info), indent=2))
        return
    created = datetime.fromtimestamp(info.created_at).astimezone().isoformat(sep=" ", timespec="seconds")
    on = ", ".join(info.holders) or "no live keeper"
    for key, value in (
        ("name", info.name),
        ("version", info.version),
        ("size", f"{info.size} bytes ({size_text(info.size)})"),
        ("copies", f"{len(info.holders)} live: {on}"),
        ("stored", created),
    ):
        click.echo(f"{key:<8} {value}")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@with_client
def rm(client: Client, names: tuple[str, ...]) -> None:
    """Delete files.

    \b
    Example:
      dfslab rm clip.mp4 course/week-1.mp4
    """
    _each(client.delete, names)


@click.command()
@click.argument("old")
@click.argument("new")
@with_client
def mv(client: Client, old: str, new: str) -> None:
    """Give the file OLD the name NEW, which must be free.

    \b
    Example:
      dfslab mv clip.mp4 course/week-1.mp4
    """
    client.rename(old, new)


def _each(action: Callable[[T], Any], items: Iterable[T]) -> None:
    """Do it for every item, past those that fail; end with the exit code of the first failure."""
    codes = []
    for item in items:
        try:
            action(item)
        except (MasterUnavailable, BadToken):
            raise  # the others would fare no better
        except DfsError as error:
            complain(words_of(error))
            codes.append(exit_of(error))
    if codes:
        sys.exit(codes[0])


def _speed(size: int, seconds: float) -> str:
    return f"{size_text(size)} in {seconds:.3f} s ({rate(size, seconds)})"


def _as_dict(info: FileInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "version": info.version,
        "size": info.size,
        "copies": len(info.holders),
        "holders": list(info.holders),
        "created_at": info.created_at,
    }
