"""The frames of the data plane: four magic bytes, a length, a protobuf message."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from dfslab.core.blocks import MAX_BLOCK_BYTES
from dfslab.core.errors import ProtocolError
from dfslab.runtime import sockets

MAGIC = b"DFS1"
HEAD = struct.Struct(">4sI")
MAX_MESSAGE_BYTES = 64 * 1024
BUFFER_BYTES = MAX_BLOCK_BYTES  # a block is checked whole

M = TypeVar("M", bound=Message)

MOST_AT_REST = 16

_at_rest: list[memoryview] = []


@contextmanager
def buffer() -> Iterator[memoryview]:
    """Lend a transfer buffer of 1 MiB: no transfer needs more memory than that.

    The one that was given back last is lent first: its pages are there, and may still be in the processor's cache.
    """
    try:
        mine = _at_rest.pop()
    except IndexError:
        mine = memoryview(bytearray(BUFFER_BYTES))
    try:
        yield mine
    finally:
        if len(_at_rest) < MOST_AT_REST:
            _at_rest.append(mine)


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


def receive(sock: socket.socket, count: int) -> bytes:
    """Return exactly `count` bytes from the socket."""
    data = bytearray(count)
    sockets.receive(sock, memoryview(data))
    return bytes(data)


def receive_message(sock: socket.socket, kind: type[M]) -> M:
    """Return the next frame's message."""
    return decode(kind, receive(sock, body_length(receive(sock, HEAD.size))))
