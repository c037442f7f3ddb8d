"""Between the core's values and the messages of proto/dfs.proto."""

from __future__ import annotations

import json

from dfslab.core.errors import REGISTRY, DfsError, InternalError
from dfslab.core.model import Address, FileInfo, StoredReplica
from dfslab.runtime import dfs_pb2 as pb


def address_to(address: Address) -> pb.Address:
    """Return the message for an address."""
    return pb.Address(host=address.host, port=address.port)


def address_from(message: pb.Address) -> Address:
    """Return the address in a message."""
    return Address(message.host, message.port)


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


def error_to(error: DfsError) -> pb.Error:
    """Return the message for an error."""
    return pb.Error(name=type(error).__name__, fields=json.dumps(error.fields), message=str(error))


def error_from(message: pb.Error, node: str) -> DfsError:
    """Return the error in a message; one that this version does not know becomes an InternalError of `node`."""
    kind = REGISTRY.get(message.name)
    if kind is None:
        return InternalError(node=node, reason=f"{message.name}: {message.message}")
    try:
        return kind(**json.loads(message.fields))
    except (TypeError, ValueError) as problem:
        return InternalError(node=node, reason=f"{message.name}: {message.message} ({problem})")
