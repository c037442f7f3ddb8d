"""The command that prints the master's tables."""

from __future__ import annotations

import json
from typing import Any

import click

from dfslab.cli.options import json_option, with_client
from dfslab.cli.text import columns
from dfslab.client import Client
from dfslab.core.pretty import size_text
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.wire import address_from

LOOKUP_COLUMNS = ("file_name", "data_node", "file_path", "is_alive")


@click.command()
@click.option("--keepers", is_flag=True, help="Print the data keepers instead, one a line.")
@json_option
@with_client
def table(client: Client, keepers: bool, as_json: bool) -> None:
    """Print the lookup table: one line a replica.

    \b
    Examples:
      dfslab table
      dfslab table --keepers
      dfslab table --json | jq '.[] | select(.is_alive | not)'
    """
    if keepers:
        infos = client.keeper_infos()
        dicts, lines = [_keeper_dict(info) for info in infos], list(_keeper_lines(infos))
    else:
        found = client.lookup_rows()
        dicts, lines = [_lookup_dict(row) for row in found], lookup_lines(found)
    if as_json:
        click.echo(json.dumps(dicts, indent=2))
        return
    for line in lines:
        click.echo(line)


def lookup_lines(found: list[pb.LookupRow]) -> list[str]:
    """Return the lookup table as lines, the header first."""
    rows = [(row.file_name, row.data_node, row.file_path, str(row.is_alive)) for row in found]
    return list(columns(LOOKUP_COLUMNS, rows))


def _lookup_dict(row: pb.LookupRow) -> dict[str, Any]:
    names = (*LOOKUP_COLUMNS, "state", "version", "size")
    return {name: getattr(row, name) for name in names}


def _keeper_lines(infos: list[pb.KeeperInfo]) -> list[str]:
    header = ("keeper", "state", "replicas", "stored", "free", "last_heard", "address", "directory")
    rows = [
        (
            info.keeper,
            info.state,
            str(info.replicas),
            size_text(info.stored_bytes),
            size_text(info.free_bytes) if info.directory else "-",
            f"{info.silent_s:.1f} s ago" if info.silent_s >= 0 else "never",
            str(address_from(info.address)) if info.address.host else "-",
            info.directory or "-",
        )
        for info in infos
    ]
    return list(columns(header, rows, right=("replicas", "stored", "free", "last_heard")))


def _keeper_dict(info: pb.KeeperInfo) -> dict[str, Any]:
    return {
        "keeper": info.keeper,
        "state": info.state,
        "is_alive": info.is_alive,
        "incarnation": info.incarnation,
        "address": str(address_from(info.address)) if info.address.host else None,
        "data_address": str(address_from(info.data_address)) if info.data_address.host else None,
        "directory": info.directory,
        "free_bytes": info.free_bytes,
        "stored_bytes": info.stored_bytes,
        "replicas": info.replicas,
        "silent_s": info.silent_s if info.silent_s >= 0 else None,
    }
