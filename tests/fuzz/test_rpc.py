"""Every method of the control plane with every kind of request: an answer or a typed error, and a sound state."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

import dfslab
from dfslab.cluster import Cluster
from dfslab.core.errors import DfsError, InternalError
from dfslab.core.model import Address
from dfslab.core.trace import Kind
from dfslab.lab.thread_nodes import ThreadMaster
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.dfs_pb2_grpc import DataKeeperStub, MasterTrackerStub
from dfslab.runtime.network import Network
from dfslab.runtime.rpc import RpcClient
from tests.cluster.conftest import cell
from tests.fuzz.messages import almost_right, messages

TIMEOUT_S = 20.0
GROWTH_BYTES = 96 * 1024 * 1024

MASTER = list(pb.DESCRIPTOR.services_by_name["MasterTracker"].methods)
KEEPER = list(pb.DESCRIPTOR.services_by_name["DataKeeper"].methods)


class Control:
    """A cluster, a caller of its master and one of its first keeper."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.network = cluster, Network()
        kept = [cluster.upload(b"kept", name=f"kept-{number}").version for number in range(len(MASTER + KEEPER))]
        cluster.wait_for_replicas()
        self._kept = iter(kept)
        nic = self.network.nic("stranger")
        address = Address.parse(cell(cluster, "keeper-1", "address"))
        self.master = RpcClient(MasterTrackerStub, Address.parse(cluster.address), cluster.token, nic)
        self.keeper = RpcClient(DataKeeperStub, address, cluster.token, nic, keeper="keeper-1")
        self._numbers = itertools.count(1)
        self.answers: dict[str, Counter[str]] = {}

    def call(self, client: RpcClient, method: MethodDescriptor, request: Any) -> None:
        """Call, and hold the answer to what any caller may hear."""
        heard = self.answers.setdefault(method.name, Counter())
        try:
            reply = client.call(method.name, request, TIMEOUT_S)
        except DfsError as error:
            if isinstance(error, InternalError) or " answered " in str(error) or "an error of its own" in str(error):
                raise AssertionError(f"{method.name} came to no typed error") from error
            heard[type(error).__name__] += 1
        else:
            assert isinstance(reply, GetMessageClass(method.output_type))
            heard["answered"] += 1

    def check_sound(self) -> None:
        """The master's state is valid, and no node met an error of its own."""
        master = self.cluster._nodes.node("master")
        assert isinstance(master, ThreadMaster)
        with master.lock:
            master.core.validate()
        errors = [event for event in self.cluster._recorder.events() if event.kind is Kind.NODE_ERROR]
        assert [event.detail for event in errors] == []

    def known(self) -> Mapping[str, Sequence[Any]]:
        """Return values that mean something to the nodes, and a file that is there, whatever became of it."""
        cluster = self.cluster
        cluster.upload(b"here" * 1000, name="here")
        info = cluster.stat("here")
        begin = pb.BeginUploadRequest(upload_id="u1", name="begun", size=4000, client="stranger")
        slot = self.master.call("BeginUpload", begin, TIMEOUT_S)
        with contextlib.suppress(FileNotFoundError):
            cluster.delete("moved")
        stranger = f"stranger-{next(self._numbers)}"
        here = pb.Address(host="127.0.0.1", port=1)
        register = pb.RegisterRequest(keeper=stranger, boot="b1", address=here, data_address=here, free_bytes=10**9)
        self.master.call("Register", register, TIMEOUT_S)
        incarnation = int(cell(cluster, "keeper-1", "incarnation"))
        return {
            "keeper": [stranger, "keeper-1", "nobody"],
            "name": ["here", "here", "gone"],
            "file_name": ["here"],
            "old_name": ["here"],
            "new_name": ["moved", "moved/again"],
            "checksums": [bytes(4), bytes(4 * 4000)],  # of 4,000 bytes in blocks of 65,536 bytes, and of 1
            "boot": ["b1", "b2", "b" * 70_000],
            "sequence": [0, 7],
            "path": ["/x"],
            "free_bytes": [10**9],
            "version": [next(self._kept), info.version, slot.version or info.version, "v77-0123456789"],
            "upload_id": ["u1", "u2"],
            "incarnation": [incarnation, incarnation, 1],
            "size": [info.size],
            "block_size": [65536, 1],
            "report": [pb.StoredReplica(version=info.version, size=info.size, path="/x")],
            "source": ["keeper-1"],
            "target": ["keeper-2"],
            "host": ["127.0.0.1", "127.0.0.1", "localhost", "x" * 300, "a..b"],
            "port": [Address.parse(cell(cluster, "keeper-2", "data_address")).port, 1],
            "hold_s": [0.0, -1.0, float("nan")],
            "exclude": ["keeper-1"],
            "copy_id": ["c1"],
        }


@pytest.fixture(scope="module")
def control() -> Iterator[Control]:
    """One cluster for all requests: it keeps its files, and its memory stays within bounds."""
    with dfslab.cluster.start(2, replicas=2, name="fuzz-rpc", speed=4.0) as cluster:
        control = Control(cluster)
        memory = psutil.Process().memory_info().rss
        yield control
        assert psutil.Process().memory_info().rss - memory < GROWTH_BYTES
        control.check_sound()
        control.master.close()
        control.keeper.close()
        control.network.close()


@pytest.fixture(autouse=True)
def _no_leftover_clusters() -> None:
    """The module's cluster outlives its tests."""


def requests_of(method: MethodDescriptor, known: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[Any]:
    """Return a strategy for a method's requests; no stranger registers as a keeper that is there, or empties one."""
    kind = GetMessageClass(method.input_type)
    if method.name in ("Register", "Decommission"):
        known = {**known, "keeper": known["keeper"][:1]}
    any_kind = almost_right(kind, known) | messages(kind, known)
    if method.name in ("Register", "Decommission"):
        return any_kind.filter(lambda request: not request.keeper.startswith("keeper-"))
    if method.name == "AwaitUpload":
        return any_kind.filter(lambda request: not request.hold_s > 0.01)
    return any_kind


@pytest.mark.parametrize("method", MASTER, ids=lambda method: str(method.name))
def test_a_master_answers_whatever_a_request_says(control: Control, method: MethodDescriptor) -> None:
    """Guarantee 8, for callers who have the token: typed errors, no error of its own, a valid state."""
    check_method(control, control.master, method)


@pytest.mark.parametrize("method", KEEPER, ids=lambda method: str(method.name))
def test_a_keeper_answers_whatever_an_order_says(control: Control, method: MethodDescriptor) -> None:
    check_method(control, control.keeper, method)


def check_method(control: Control, client: RpcClient, method: MethodDescriptor) -> None:
    @settings(max_examples=60)
    @given(requests_of(method, control.known()))
    def ask(request: Any) -> None:
        control.call(client, method, request)
        control.check_sound()

    ask()
    heard = control.answers[method.name]
    assert heard["answered"], f"what was never taken shows nothing: {heard}"


def test_what_strangers_said_can_be_looked_at_saved_and_read_back(control: Control, tmp_path: Path) -> None:
    """A number that no table can hold would hide everything else."""
    cluster = control.cluster
    for look in (cluster.keepers, cluster.lookup_table, cluster.events, cluster.transfers):
        assert len(look()) > 0
    cluster.trace.to_jsonl(tmp_path / "trace.jsonl")
    assert len(dfslab.replay(tmp_path / "trace.jsonl").events()) > 0


def test_real_clients_are_served_after_all_that(control: Control) -> None:
    cluster = control.cluster
    cluster.upload(b"after", name="after")
    got = cluster.download("after")

    assert got.path.read_bytes() == b"after"
    got.path.unlink()
