"""The frames of the data plane: four magic bytes, a length, a protobuf message."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from dfslab.core.blocks import MAX_BLOCK_BYTES
from dfslab.core.errors import ProtocolError

MAGIC = b"DFS1"
HEAD = struct.Struct(">4sI")
MAX_MESSAGE_BYTES = 64 * 1024
BUFFER_BYTES = MAX_BLOCK_BYTES  # a block is checked whole

M = TypeVar("M", bound=Message)

_local = threading.local()


def buffer() -> memoryview:
    """Return this thread's transfer buffer of 1 MiB, made once: no transfer needs more memory than that."""
    try:
        return _local.buffer  # type: ignore[no-any-return]
    except AttributeError:
        _local.buffer = memoryview(bytearray(BUFFER_BYTES))
        return _local.buffer  # type: ignore[no-any-return]


def encode(message: Message) -> bytes:
    """Return a message as a frame."""
    body = message.SerializeToString()
    if len(body) > MAX_MESSAGE_BYTES:
        raise ProtocolError(reason=f"a message of {len(body)} bytes")
    return HEAD.pack(MAGIC, len(body)) + body


def body_length(head: bytes) -> int:
    """Return the length that a frame's head announces, or raise ProtocolError."""
    magic, length = HEAD.unpack(head)
    if magic != MAGIC:
        raise ProtocolError(reason="a frame that does not start with DFS1")
    if length > MAX_MESSAGE_BYTES:
        raise ProtocolError(reason=f"a message of {length} bytes, {MAX_MESSAGE_BYTES} are allowed")
    return int(length)


def decode(kind: type[M], body: bytes) -> M:
    """Return the message in a frame's body, or raise ProtocolError."""
    try:
        return kind.FromString(body)
    except DecodeError:
        raise ProtocolError(reason="a message that can't be parsed") from None


def receive_into(sock: socket.socket, view: memoryview) -> None:
    """Fill `view` from the socket; raise ConnectionError when it ends before."""
    got = 0
    while got < len(view):
        count = sock.recv_into(view[got:])
        if count == 0:
            raise ConnectionError("the connection ended in the middle of a transfer")
        got += count


def receive(sock: socket.socket, count: int) -> bytes:
    """Return exactly `count` bytes from the socket."""
    data = bytearray(count)
    receive_into(sock, memoryview(data))
    return bytes(data)


def receive_message(sock: socket.socket, kind: type[M]) -> M:
    """Return the next frame's message."""
    return decode(kind, receive(sock, body_length(receive(sock, HEAD.size))))
