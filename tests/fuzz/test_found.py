"""What fuzzing found, each as the smallest case that shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dfslab
from dfslab import errors
from dfslab.cluster import Cluster
from dfslab.core.checks import check_positive
from dfslab.core.errors import InternalError, InvalidOption, NoSuchFile, ProtocolError, WrongDirectory, WrongState
from dfslab.core.model import Address
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.dfs_pb2_grpc import MasterTrackerStub
from dfslab.runtime.gate import Gate
from dfslab.runtime.network import Network
from dfslab.runtime.rpc import RpcClient
from dfslab.runtime.storage import Storage
from dfslab.runtime.wire import address_from, error_from, error_to


def test_an_address_of_empty_brackets_has_no_host() -> None:
    """`words`: "]:0" was read as port 0 of the host ""."""
    with pytest.raises(ValueError, match="host:port"):
        Address.parse("[]:80")


def test_a_number_that_no_float_can_hold_is_no_option() -> None:
    """`traces`: 10**400 as a setting in a trace's first line, or given to start(), was an OverflowError."""
    with pytest.raises(InvalidOption, match="speed"):
        check_positive("speed", 10**400)


def test_a_directory_whose_owner_is_nested_beyond_reading_belongs_to_something_else(tmp_path: Path) -> None:
    """`identity`: the parser's RecursionError came out of the keeper's start."""
    (tmp_path / "keeper.json").write_bytes(b"[" * 100_000)

    with pytest.raises(WrongDirectory, match="something else"):
        Storage(tmp_path, "keeper-1", Gate())


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("WrongState", '{"node": 5, "state": "dead", "advice": "wait"}'),
        ("WaitTimedOut", '{"missing": [], "waited_s": 1' + "0" * 400 + "}"),
        ("NoSuchFile", "[" * 100_000),
    ],
    ids=["a number for a name", "seconds beyond a float", "nested"],
)
def test_an_error_with_fields_that_make_none_is_still_an_error_of_ours(name: str, fields: str) -> None:
    """`errors`: what a keeper that lies puts into its reply came out of a download as AttributeError and the like."""
    assert isinstance(error_from(pb.Error(name=name, fields=fields, message="m"), "keeper-1"), InternalError)


@pytest.mark.parametrize(
    "error", [WrongState(node="k", state="x" * 10**6, advice="\udcff"), NoSuchFile(name="漢" * 1365)]
)
def test_an_error_fits_where_it_must_travel_and_is_made_again(error: errors.DfsError) -> None:
    """gRPC drops the whole answer when an error is longer than it takes as metadata."""
    message = error_to(error)

    assert message.ByteSize() < 16_000
    again = error_from(message, "master")
    assert type(again) is type(error)
    assert set(again.fields) == set(error.fields)
    assert json.loads(message.fields) == again.fields


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One cluster for the cases that need servers."""
    with dfslab.cluster.start(1, replicas=1, name="fuzz-found") as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _no_leftover_clusters() -> None:
    """The module's cluster outlives its tests."""


def test_the_longest_name_is_not_found_as_any_other_is_not_found(cluster: Cluster) -> None:
    """`List` and `Stat` by reflection: the error named the file, was too long for gRPC, and came as another one."""
    name = "/".join(["漢" * 85] * 15)

    with pytest.raises(NoSuchFile) as caught:
        cluster.stat(name)

    assert caught.value.fields == {"name": name}


@pytest.mark.parametrize(
    ("host", "port"),
    [("", 1), ("a..b", 1), ("x" * 64, 1), ("a b", 1), ("a\0b", 1), ("\x9e", 1), (":", 1), ("h", 0), ("h", 65536)],
)
def test_a_keeper_at_an_address_where_nobody_can_be_is_not_registered(cluster: Cluster, host: str, port: int) -> None:
    """`Register` by reflection: clients that were sent there met a UnicodeError, the master's orders a NODE_ERROR."""
    client = RpcClient(MasterTrackerStub, Address.parse(cluster.address), cluster.token, Network().nic("stranger"))
    address = pb.Address(host=host, port=port)
    request: Any = pb.RegisterRequest(keeper="stranger", boot="b", address=address, data_address=address)
    try:
        with pytest.raises(ProtocolError, match="nobody can be at"):
            client.call("Register", request, 5.0)
    finally:
        client.close()
    assert len(cluster.keepers()) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "fe80::1%eth0", "node-1.lab.example", "my_host"])
def test_addresses_where_somebody_can_be_are_taken(host: str) -> None:
    assert address_from(pb.Address(host=host, port=7000)) == Address(host, 7000)
