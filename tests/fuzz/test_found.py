"""What fuzzing found, each as the smallest case that shows it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

import dfslab
from dfslab import errors
from dfslab.cluster import Cluster
from dfslab.core.checks import check_positive
from dfslab.core.errors import InternalError, InvalidOption, NoSuchFile, ProtocolError, WrongDirectory, WrongState
from dfslab.core.model import Address
from dfslab.core.trace import Kind
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.dfs_pb2_grpc import DataKeeperStub, MasterTrackerStub
from dfslab.runtime.gate import Gate
from dfslab.runtime.identity import read_keeper_identity
from dfslab.runtime.network import Network
from dfslab.runtime.rpc import RpcClient
from dfslab.runtime.storage import Storage
from dfslab.runtime.wire import address_from, error_from, error_to
from tests.cluster.conftest import cell


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
    "said",
    [{"incarnation": -1}, {"incarnation": 10**30}, {"cluster": "\ud800"}],
    ids=["below 0", "beyond any", "no text"],
)
def test_a_directory_that_says_what_cannot_be_sent_to_a_master_says_nothing(tmp_path: Path, said: Any) -> None:
    """`identity`: the message to the master could not be made, a ValueError in the middle of a keeper's life."""
    (tmp_path / "keeper.json").write_text(json.dumps({"keeper": "keeper-1", **said}))

    with pytest.raises(ValueError, match=r"incarnation|surrogates"):
        read_keeper_identity(tmp_path)


def test_a_pipe_in_place_of_a_directorys_owner_holds_nobody(tmp_path: Path) -> None:
    """Hypothesis on directories: the start waited for somebody to write into the pipe."""
    os.mkfifo(tmp_path / "keeper.json")

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


def call(stub: Any, address: str, cluster: Cluster, method: str, request: Message) -> Any:
    """Call a node as a stranger who has the token."""
    client = RpcClient(stub, Address.parse(address), cluster.token, Network().nic("stranger"))
    try:
        return client.call(method, request, 5.0)
    finally:
        client.close()


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
    address = pb.Address(host=host, port=port)
    request = pb.RegisterRequest(keeper="stranger", boot="b", address=address, data_address=address)

    with pytest.raises(ProtocolError, match="nobody can be at"):
        call(MasterTrackerStub, cluster.address, cluster, "Register", request)

    assert "stranger" not in set(cluster.keepers().keeper)


@pytest.mark.parametrize("length", [0, 65, 70_000])
def test_a_boot_that_no_ticket_can_carry_is_not_registered(cluster: Cluster, length: int) -> None:
    """By hand, after `Register` by reflection: each slot on such a keeper sent the master back to its catalog."""
    here = pb.Address(host="127.0.0.1", port=1)
    register = pb.RegisterRequest(keeper="talkative", boot="b" * length, address=here, data_address=here)

    with pytest.raises(ProtocolError, match="boot"):
        call(MasterTrackerStub, cluster.address, cluster, "Register", register)


def test_more_room_than_a_table_can_hold_is_the_most_it_can_hold(cluster: Cluster, tmp_path: Path) -> None:
    """`Register` by reflection: 2^64 - 1 free bytes made keepers() fail, and a saved trace unreadable."""
    here = pb.Address(host="127.0.0.1", port=1)
    register = pb.RegisterRequest(keeper="vast", boot="b", address=here, data_address=here, free_bytes=2**64 - 1)

    incarnation = call(MasterTrackerStub, cluster.address, cluster, "Register", register).incarnation
    beat = pb.HeartbeatRequest(keeper="vast", incarnation=incarnation, free_bytes=2**64 - 1)
    call(MasterTrackerStub, cluster.address, cluster, "Heartbeat", beat)

    assert cell(cluster, "vast", "free_bytes") == 2**63 - 1
    cluster.trace.to_jsonl(tmp_path / "trace.jsonl")
    assert len(dfslab.replay(tmp_path / "trace.jsonl").events()) > 0


@pytest.mark.parametrize(
    ("size", "block_size", "checksums"),
    [(2**63, 1024, 4), (100, 0, 4), (100, 2**31, 4), (100, 1024, 0)],
    ids=["2^63 bytes", "no blocks", "2 GiB blocks", "a checksum too few"],
)
def test_an_order_to_copy_what_no_file_can_be_is_refused(
    cluster: Cluster, size: int, block_size: int, checksums: int
) -> None:
    """An order by reflection: an OverflowError or ZeroDivisionError, and the version was "arriving" for ever."""
    incarnation = int(cell(cluster, "keeper-1", "incarnation"))
    order = pb.FetchReplica(copy_id="c1", version="v5-0123456789", size=size, block_size=block_size)
    order.MergeFrom(pb.FetchReplica(checksums=bytes(checksums), source="keeper-1", incarnation=incarnation))
    order.source_data_address.CopyFrom(pb.Address(host="127.0.0.1", port=1))

    request = pb.OrderCopiesRequest(fetches=[order])
    reply = call(DataKeeperStub, cell(cluster, "keeper-1", "address"), cluster, "OrderCopies", request)

    error = error_from(reply.fetches[0].error, "keeper-1")
    assert isinstance(error, ProtocolError)
    assert "blocks of" in str(error)

    assert not [event for event in cluster._recorder.events() if event.kind in (Kind.NODE_ERROR, Kind.COPY_STARTED)]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "fe80::1%eth0", "node-1.lab.example", "my_host"])
def test_addresses_where_somebody_can_be_are_taken(host: str) -> None:
    assert address_from(pb.Address(host=host, port=7000)) == Address(host, 7000)
