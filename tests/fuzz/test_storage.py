"""A keeper's directory with anything in it: nothing is followed out of it, nothing of a stranger's is touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dfslab.core.errors import DfsError
from dfslab.core.keeper.shelf import UNKNOWN_DIGEST
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.checksum import crc
from dfslab.runtime.gate import Gate
from dfslab.runtime.storage import Storage

VERSIONS = [f"v{number}-0123456789" for number in range(3)]
SUFFIXES = [".data", ".crc", ".01234567.data.tmp", ".01234567.crc.tmp", ".tmp", "", ".data.tmp"]
SECRET = b"nobody's business"

names = st.builds(str.__add__, st.sampled_from(VERSIONS), st.sampled_from(SUFFIXES)) | st.sampled_from(
    [
        "notes.txt",
        "lost+found",
        "\udcff.data",
        "v1-0123456789\n.data",
        "V1-0123456789.data",
        "v1-01234567890.data",
        ".tmp",
    ]
)
kinds = st.sampled_from(["file", "file", "file", "folder", "full folder", "link", "link to nothing", "pipe"])


def sound_checksums(version: str, data: bytes) -> bytes:
    message = pb.ReplicaChecksums(version=version, size=len(data), block_size=1024, checksums=crc(data))
    body = message.SerializeToString()
    return crc(body) + body


contents = (
    st.binary(max_size=40)
    | st.sampled_from(VERSIONS).map(lambda version: sound_checksums(version, b"data"))
    | st.just(b"data")
)


def put(path: Path, kind: str, content: bytes, outside: Path) -> None:
    """Make one thing of that kind."""
    match kind:
        case "file":
            path.write_bytes(content)
        case "folder":
            path.mkdir()
        case "full folder":
            path.mkdir()
            (path / "inside").write_bytes(content)
        case "link":
            path.symlink_to(outside)
        case "link to nothing":
            path.symlink_to(outside.with_name("nothing"))
        case "pipe":
            os.mkfifo(path)


@contextlib.contextmanager
def disk() -> Iterator[tuple[Path, Path]]:
    """Give a keeper's directory and a file that is outside of it."""
    folder = Path(tempfile.mkdtemp(prefix="dfslab-fuzz-"))
    try:
        outside = folder / "secret"
        outside.write_bytes(SECRET)
        (folder / "keeper" / "replicas").mkdir(parents=True)
        yield folder / "keeper", outside
    finally:
        shutil.rmtree(folder)


def is_ours(name: str) -> bool:
    """Return whether a keeper gives files such names."""
    return name[:13] in VERSIONS and name[13:] in SUFFIXES[:4]


@settings(max_examples=120)
@given(st.dictionaries(names, st.tuples(kinds, contents), max_size=8))
def test_a_keeper_starts_on_whatever_lies_in_its_directory_and_serves_what_is_a_replica(
    things: Mapping[str, tuple[str, bytes]],
) -> None:
    """Guarantee 7, FAULTS rows 18 and 30."""
    with disk() as (directory, outside):
        replicas = directory / "replicas"
        for name, (kind, content) in things.items():
            put(replicas / name, kind, content, outside)

        storage = Storage(directory, "keeper-1", Gate())
        found = {stored.version: stored for stored in storage.scan()}

        files = {name: content for name, (kind, content) in things.items() if kind == "file"}
        assert found.keys() == {name[:13] for name in files if is_ours(name) and name.endswith(".data")}
        for version, stored in found.items():
            assert stored.size == len(files[f"{version}.data"])
            if files.get(f"{version}.crc") != sound_checksums(version, b"data") or stored.size != 4:
                assert stored.digest == UNKNOWN_DIGEST
            replica = storage.open(version)
            assert os.pread(replica.fd, 100, 0) == files[f"{version}.data"]
            replica.close()
        for version in VERSIONS:
            with contextlib.suppress(DfsError):
                storage.delete(version)
        storage.close()

        assert outside.read_bytes() == SECRET
        assert [path.name for path in outside.parent.iterdir() if path != directory] == ["secret"]
        for name, (kind, _) in things.items():
            if not is_ours(name):
                assert os.path.lexists(replicas / name), f"a stranger's {kind} was removed"
            if kind == "full folder":
                assert (replicas / name / "inside").is_file()


@settings(max_examples=100)
@given(
    st.sampled_from(["keeper.json", "lock", "replicas", "keeper.tmp"]),
    kinds,
    st.sampled_from([b"", b"[]", b'{"keeper": "keeper-1"}', b'{"keeper": "keeper-2"}', b"\xff"])
    | st.binary(max_size=20),
)
def test_a_directory_that_is_not_a_keepers_is_used_or_refused_by_name(name: str, kind: str, content: bytes) -> None:
    with disk() as (directory, outside):
        (directory / "replicas").rmdir()
        put(directory / name, kind, content, outside)
        before = sorted(path.name for path in directory.iterdir())

        try:
            Storage(directory, "keeper-1", Gate()).close()
        except DfsError as error:
            said = str(error)
            assert said
            assert {*before, "lock"} >= {path.name for path in directory.iterdir()} - {"replicas", "keeper.json"}
        assert outside.read_bytes() == SECRET
