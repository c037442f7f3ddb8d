"""Between the core's values and the messages of proto/dfs.proto."""

from __future__ import annotations

import functools
import ipaddress
import json
import re
from typing import Any

from google.protobuf.message import Message

from dfslab.core.blocks import CHECKSUM_BYTES, MAX_BLOCK_BYTES, block_count
from dfslab.core.errors import REGISTRY, DfsError, InternalError, ProtocolError
from dfslab.core.model import Address, FileInfo, StoredReplica, Version
from dfslab.core.names import MAX_NAME_BYTES
from dfslab.core.tickets import get_bytes, put_bytes
from dfslab.runtime import dfs_pb2 as pb

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
MAX_NUMBER = 2**63 - 1
"""What a table, a file and the catalog can hold."""
MAX_TEXT_CHARS = 16 * 1024
"""Of any text in a request."""
MAX_TRACED_CHARS = 1000
MAX_BOOT_CHARS = 64
MAX_FIELDS_BYTES = 10_000
"""Of an error: two of the longest names. What is longer is cut, so that the error itself arrives."""


def check_texts(message: Message) -> None:
    """Raise ProtocolError for a message with a text that is longer than any that is meant, wherever in it it is."""
    if message.ByteSize() <= MAX_TEXT_CHARS:  # no text is longer than all of it
        return
    for field, value in message.ListFields():
        values: Any = [value] if isinstance(value, str | Message) else value
        if field.type == field.TYPE_STRING and any(len(text) > MAX_TEXT_CHARS for text in values):
            raise ProtocolError(reason=f"a {field.name} of more than {MAX_TEXT_CHARS} characters")
        if field.type == field.TYPE_MESSAGE:
            for one in values:
                check_texts(one)


def boot_from(text: str) -> str:
    """Return what names a process of a keeper; raise ProtocolError for a name that is none."""
    if not 1 <= len(text) <= MAX_BOOT_CHARS:
        raise ProtocolError(reason=f"a boot of {len(text)} characters, 1 to {MAX_BOOT_CHARS} are allowed")
    return text


def brief(text: str) -> str:
    """Return as much of a text of somebody else's as goes into the trace."""
    return text if len(text) <= MAX_TRACED_CHARS else text[:MAX_TRACED_CHARS] + "…"


def address_to(address: Address) -> pb.Address:
    """Return the message for an address."""
    return pb.Address(host=address.host, port=address.port)


def address_from(message: pb.Address) -> Address:
    """Return the address in a message; raise ProtocolError when nobody can be there.

    Whoever connects to an address that a stranger gave would meet errors that no network makes.
    """
    if not _is_host(message.host) or not 1 <= message.port <= 65535:
        raise ProtocolError(reason=f"nobody can be at {message.host[:80]!r}, port {message.port}")
    return Address(message.host, message.port)


@functools.lru_cache(maxsize=4096)  # each answer names some of the same few hosts
def _is_host(text: str) -> bool:
    if ":" not in text:
        return _HOST.fullmatch(text) is not None
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return text.isascii() and text.isprintable() and " " not in text  # what may follow a "%" is not looked at


def room_from(free_bytes: int) -> int:
    """Return the room that a keeper says it has, or the most that a table of numbers can hold."""
    return min(free_bytes, MAX_NUMBER)


def ordered_version_from(message: pb.FetchReplica) -> Version:
    """Return the version that an order to copy names; raise ProtocolError for one that no file can be."""
    size, block_size, checksums = message.size, message.block_size, message.checksums
    if size > MAX_NUMBER or not 1 <= block_size <= MAX_BLOCK_BYTES:
        raise ProtocolError(reason=f"{size} bytes in blocks of {block_size}, 1 to {MAX_BLOCK_BYTES} are allowed")
    if len(checksums) != CHECKSUM_BYTES * block_count(size, block_size):
        raise ProtocolError(reason=f"{len(checksums)} bytes of checksums for {size} bytes in blocks of {block_size}")
    return Version(message.version, message.file_name, size, block_size, checksums, 0.0)


def file_info_to(info: FileInfo) -> pb.FileInfo:
    """Return the message for a file."""
    return pb.FileInfo(
        name=info.name, version=info.version, size=info.size, holders=info.holders, created_at=info.created_at
    )


def file_info_from(message: pb.FileInfo) -> FileInfo:
    """Return the file in a message."""
    return FileInfo(message.name, message.version, message.size, tuple(message.holders), message.created_at)


def stored_to(stored: StoredReplica) -> pb.StoredReplica:
    """Return the message for a replica on a disk."""
    return pb.StoredReplica(version=stored.version, size=stored.size, digest=stored.digest, path=stored.path)


def stored_from(message: pb.StoredReplica) -> StoredReplica:
    """Return the replica in a message."""
    return StoredReplica(message.version, message.size, message.digest, message.path)


def operation_bytes(request: pb.DataRequest) -> bytes:
    """Return what a request asks for, in the form that proofs are made over; empty when it asks for nothing."""
    match request.WhichOneof("operation"):
        case "get":
            return get_bytes(request.get.version, request.get.offset, request.get.length)
        case "put":
            put = request.put
            return put_bytes(put.version, put.size, put.block_size, put.cause)
    return b""


def error_to(error: DfsError) -> pb.Error:
    """Return the message for an error."""
    return pb.Error(name=type(error).__name__, fields=_fields_of(error), message=_utf8(str(error)[:MAX_NAME_BYTES]))


def _fields_of(error: DfsError) -> str:
    """Return an error's fields as JSON, with texts cut where they came from a stranger and are too long to send."""
    text = ""
    for longest in (MAX_NAME_BYTES, 1000, 100, 10):
        text = _utf8(json.dumps(_cut(error.fields, longest), ensure_ascii=False))
        if len(text.encode()) <= MAX_FIELDS_BYTES:
            break
    return text


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, dict):
        return {name: _cut(one, longest) for name, one in value.items()}
    if isinstance(value, list):
        return [_cut(one, longest) for one in value[:longest]]
    return value[:longest] + "..." if isinstance(value, str) and len(value) > longest else value


def _utf8(text: str) -> str:
    """Return a text that protobuf takes; a lone surrogate becomes its escape, which JSON reads back."""
    return text.encode(errors="backslashreplace").decode()


def error_from(message: pb.Error, node: str) -> DfsError:
    """Return the error in a message; one that this version does not know becomes an InternalError of `node`."""
    kind = REGISTRY.get(message.name)
    if kind is None:
        return InternalError(node=node, reason=f"{message.name}: {message.message}")
    try:
        return kind(**json.loads(message.fields))
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as problem:
        return InternalError(node=node, reason=f"{message.name}: {message.message} ({problem})")
