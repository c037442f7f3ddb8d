"""What reads bytes that nobody vouches for, each as a function of those bytes: it returns, or it has found a bug.

Three callers share them: hypothesis in the suite, the replay of the committed corpus, and the coverage-guided
fuzzer (`make fuzz`). An error of the reader's own kind is an answer like any other and is swallowed here;
whatever else comes out is the finding.
"""

from __future__ import annotations

import contextlib
import functools
import struct
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from dfslab.core.errors import (
    REGISTRY,
    CatalogDamaged,
    CatalogUnwritable,
    DfsError,
    InvalidName,
    ProtocolError,
    TicketRefused,
    TraceUnreadable,
)
from dfslab.core.keeper.shelf import UNKNOWN_DIGEST
from dfslab.core.master.instructions import CatalogRecord, PutKeeper, PutReplica, PutUpload, PutVersion
from dfslab.core.model import Address, Version
from dfslab.core.names import check_name
from dfslab.core.saved import read_trace
from dfslab.core.tickets import TicketKey
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import frames
from dfslab.runtime.catalog import Catalog
from dfslab.runtime.checksum import crc
from dfslab.runtime.gate import Gate
from dfslab.runtime.identity import read_keeper_identity
from dfslab.runtime.storage import Storage, check_version, read_identity
from dfslab.runtime.wire import error_from
from tests.fuzz.oracles import is_a_name
from tests.fuzz.streams import requests_in

Target = Callable[[bytes], None]

KINDS = [*sorted(REGISTRY), "NoSuchError"]
V1 = "v1-0123456789"


def fuzz_frames(data: bytes) -> None:
    """A caller's stream, cut into reads of the size that the first byte says."""
    pieces = [data[at : at + 1 + data[0]] for at in range(1, len(data), 1 + data[0])] if data else []
    for body in requests_in(pieces):
        try:
            request = frames.decode(pb.DataRequest, body)
        except ProtocolError:
            continue
        again = frames.encode(request)
        assert frames.decode(pb.DataRequest, again[frames.HEAD.size :]) == request


def fuzz_names(data: bytes) -> None:
    """A name, as text that may hold lone surrogates."""
    name = data.decode("utf-8", "surrogateescape")
    try:
        accepted = check_name(name) == name
    except InvalidName as error:
        accepted = False
        str(error).encode()
    assert accepted == is_a_name(name)


def fuzz_words(data: bytes) -> None:
    """The short texts that the command line and the wire take: addresses and version ids."""
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(ValueError):
        address = Address.parse(text)
        assert address.host
        assert Address.parse(str(address)) == address
    with contextlib.suppress(ProtocolError):
        assert check_version(text) == text
        assert not set(text) - set("v0123456789abcdef-")


def fuzz_errors(data: bytes) -> None:
    """An error as a stranger's reply may carry it: the first byte picks its name, the fields follow."""
    name = KINDS[data[0] % len(KINDS)] if data else ""
    message = pb.Error(name=name, fields=data[1:].decode("utf-8", "replace"))
    error = error_from(message, "keeper-1")
    assert isinstance(error, DfsError)
    str(error)


def fuzz_tickets(data: bytes) -> None:
    """A ticket that the master has not signed."""
    with contextlib.suppress(TicketRefused):
        TicketKey(b"the cluster's token").read(data, "keeper-1")
        raise AssertionError("a ticket was believed that nobody signed")


def fuzz_traces(data: bytes) -> None:
    """A saved trace, whole or cut short."""
    lines = data.splitlines(keepends=True)
    for partial in (False, True):
        with contextlib.suppress(TraceUnreadable):
            saved = read_trace(lines, "t.jsonl", partial=partial)
            saved.trace.table()
            assert saved.now_s >= 0


def fuzz_checksums(data: bytes) -> None:
    """What stands in a `.crc` file; behind a first byte that is odd, its own checksum is made right."""
    content = data[1:]
    if data[:1] and data[0] & 1:
        content = crc(content) + content
    with tempfile.TemporaryDirectory(prefix="dfslab-fuzz-") as folder:
        path = Path(folder) / "replicas" / f"{V1}.data"
        path.parent.mkdir()
        path.write_bytes(b"data")
        path.with_suffix(".crc").write_bytes(content)
        storage = Storage(Path(folder), "keeper-1", Gate())
        (found,) = storage.scan()
        storage.close()
        assert (found.version, found.size) == (V1, 4)
        if content[:4] != crc(content[4:]):
            assert found.digest == UNKNOWN_DIGEST
        assert path.with_suffix(".crc").read_bytes() == content


def fuzz_identity(data: bytes) -> None:
    """The file that says whose a directory is."""
    with tempfile.TemporaryDirectory(prefix="dfslab-fuzz-") as folder:
        path = Path(folder) / "keeper.json"
        path.write_bytes(data)
        assert read_identity(path, "keeper")
        try:
            identity = read_keeper_identity(path.parent)
        except ValueError:
            return
        assert pb.RegisterRequest(cluster=identity.cluster, incarnation=identity.incarnation).IsInitialized()


RECORDS: tuple[CatalogRecord, ...] = (
    PutKeeper("keeper-1", 3),
    PutKeeper("keeper-2", 1, decommissioned=True),
    PutVersion(Version("v1-0123456789", "course/clip.mp4", 10, 4, b"abcdefghijkl", 1.5)),
    PutVersion(Version("v2-0123456789", "notes", 0, 4, b"", 2.5, deleted=True)),
    PutReplica("v1-0123456789", "keeper-1", "/somewhere/replicas/v1-0123456789.data"),
    PutReplica("v1-0123456789", "keeper-2", "/elsewhere/replicas/v1-0123456789.data", corrupt=True),
    PutReplica("v2-0123456789", "keeper-1", "/somewhere/replicas/v2-0123456789.data"),
    PutUpload("u1", "v1-0123456789", 2, 7.0),
)


@functools.cache
def sound_catalog() -> dict[str, bytes]:
    """Return the files of a small catalog that was closed, by name."""
    with tempfile.TemporaryDirectory(prefix="dfslab-fuzz-") as folder:
        catalog = Catalog(Path(folder) / "catalog.sqlite")
        catalog.append(RECORDS)
        catalog.close()
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def patched(content: bytes, patches: bytes) -> bytes:
    """Return `content` with bytes overwritten: each patch is three bytes, a place and what stands there."""
    damaged = bytearray(content)
    for at in range(0, len(patches) - 2, 3):
        place, value = struct.unpack_from(">HB", patches, at)
        damaged[place % len(damaged)] = value
    return bytes(damaged)


def fuzz_catalog(data: bytes) -> None:
    """Damage of a catalog's main file: see `patched`."""
    files = sound_catalog()
    check_damaged_catalog({**files, "catalog.sqlite": patched(files["catalog.sqlite"], data)})


def check_damaged_catalog(files: Mapping[str, bytes]) -> None:
    """Hold a catalog of these files to FAULTS row 8: the same records, or a refusal and the files as they were."""
    with tempfile.TemporaryDirectory(prefix="dfslab-fuzz-") as folder:
        path = Path(folder) / "catalog.sqlite"
        for name, content in files.items():
            (path.parent / name).write_bytes(content)
        try:
            catalog = Catalog(path)
        except (CatalogDamaged, CatalogUnwritable) as error:
            there = {name: (path.parent / name).read_bytes() for name in files}
            assert there == files, "a damaged catalog was written to"
            assert str(path) in str(error)  # noqa: PT017
            return
        try:
            assert set(catalog.load().records()) == set(RECORDS), "damage was read as if it were sound"
        finally:
            catalog.close()


TARGETS: dict[str, Target] = {
    "frames": fuzz_frames,
    "names": fuzz_names,
    "words": fuzz_words,
    "errors": fuzz_errors,
    "tickets": fuzz_tickets,
    "traces": fuzz_traces,
    "checksums": fuzz_checksums,
    "identity": fuzz_identity,
    "catalog": fuzz_catalog,
}
