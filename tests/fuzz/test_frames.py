"""The framing parser: any stream, in any pieces."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import frames
from tests.fuzz.messages import messages
from tests.fuzz.streams import LIMIT, requests_in

cuts = st.lists(st.integers(0, 400), max_size=20)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return the data in pieces, cut at these places."""
    at = sorted({0, len(data), *(place for place in places if place < len(data))})
    return [data[begin:end] for begin, end in pairwise(at)]


@given(st.lists(messages(pb.DataRequest), max_size=4), cuts)
def test_requests_come_out_as_they_went_in_however_their_bytes_arrive(
    requests: list[pb.DataRequest], places: list[int]
) -> None:
    stream = b"".join(frames.encode(request) for request in requests)

    bodies = list(requests_in(cut(stream, places)))

    assert [frames.decode(pb.DataRequest, body) for body in bodies] == requests


@given(messages(pb.DataRequest), st.binary(max_size=200), cuts)
def test_bytes_behind_a_request_are_left_to_whoever_serves_it(
    request: pb.DataRequest, behind: bytes, places: list[int]
) -> None:
    """`requests_in` checks after each body that not a byte more was read."""
    bodies = requests_in(cut(frames.encode(request) + behind, places))

    assert frames.decode(pb.DataRequest, next(bodies)) == request


@given(st.integers(0, 2**32 - 1), st.binary(max_size=64))
def test_an_announced_length_allocates_nothing_before_its_bytes_are_there(length: int, some: bytes) -> None:
    """FAULTS row 32: the limit is the header's, and a header that does not come costs nothing."""
    tracemalloc.start()
    try:
        bodies = list(requests_in([frames.HEAD.pack(frames.MAGIC, length), some]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert bodies == ([some[:length]] if length <= len(some) else []) or length == 0
    assert peak < LIMIT


@given(st.binary(max_size=8).filter(lambda head: not frames.MAGIC.startswith(head[:4])), cuts)
def test_what_does_not_begin_as_a_frame_is_no_request(head: bytes, places: list[int]) -> None:
    assert list(requests_in(cut(head.ljust(200, b"x"), places))) == []
