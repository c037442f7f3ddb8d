"""The framing of the data plane."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.errors import ProtocolError
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import frames


def test_a_message_comes_out_as_it_went_in() -> None:
    left, right = socket.socketpair()
    with left, right:
        message = pb.DataRequest(ticket=b"t", get=pb.Get(version="v1", offset=2**40, length=7))
        left.sendall(frames.encode(message))

        assert frames.receive_message(right, pb.DataRequest) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_protocol_error(data: bytes) -> None:
    """FAULTS row 32: whatever comes, nothing but the two, and no more is allocated than a frame may have."""
    left, right = socket.socketpair()
    with left, right:
        left.sendall(data)
        left.shutdown(socket.SHUT_WR)
        try:
            frames.receive_message(right, pb.DataRequest)
        except (ProtocolError, ConnectionError):
            return
        assert data.startswith(frames.MAGIC)


@given(st.integers(0, 2**32 - 1))
def test_a_length_beyond_the_limit_is_refused_from_the_head_alone(length: int) -> None:
    head = frames.HEAD.pack(frames.MAGIC, length)
    if length <= frames.MAX_MESSAGE_BYTES:
        assert frames.body_length(head) == length
    else:
        with pytest.raises(ProtocolError):
            frames.body_length(head)


def test_a_message_too_large_for_a_frame_is_not_sent() -> None:
    with pytest.raises(ProtocolError):
        frames.encode(pb.DataRequest(ticket=b"x" * 70_000))


def test_a_buffer_is_lent_to_one_at_a_time_and_the_last_one_back_is_lent_first() -> None:
    with frames.buffer() as mine:
        with frames.buffer() as theirs:
            assert theirs.obj is not mine.obj
            assert len(mine) == len(theirs) == frames.BUFFER_BYTES
        with frames.buffer() as again:
            assert again.obj is theirs.obj

    with pytest.raises(ConnectionError), frames.buffer() as lent:
        raise ConnectionError
    with frames.buffer() as again:
        assert again.obj is lent.obj
