"""Blocks and chunks: the cuts fit, whatever the size."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dfslab.core.blocks import (
    BLOCK_SIZE,
    CHECKSUM_BYTES,
    MAX_CHUNK_BYTES,
    block_count,
    checksums_of,
    digest,
    first_difference,
    split_into_chunks,
)

block_sizes = st.sampled_from([1, 7, 1000, 4096, BLOCK_SIZE, 1 << 20])
sizes = st.integers(0, 2000).flatmap(lambda blocks: st.sampled_from([-1, 0, 1]).map(lambda off: (blocks, off)))


@given(block_size=block_sizes, size=sizes, holders=st.integers(0, 20))
@example(block_size=BLOCK_SIZE, size=(0, 0), holders=3)
def test_chunks_partition_the_file_into_whole_blocks(block_size: int, size: tuple[int, int], holders: int) -> None:
    """FAULTS 31: 0 bytes; 1; block size ± 1."""
    total = max(0, size[0] * block_size + size[1])

    chunks = split_into_chunks(total, block_size, holders)

    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    end = 0
    for chunk in chunks:
        assert chunk.offset == end
        assert chunk.length > 0
        assert chunk.offset % block_size == 0
        end = chunk.offset + chunk.length
    assert end == total
    assert all(chunk.length % block_size == 0 for chunk in chunks[:-1])
    assert all(chunk.length <= max(MAX_CHUNK_BYTES, block_size) for chunk in chunks)


@given(block_size=block_sizes, blocks=st.integers(1, 500), holders=st.integers(1, 8))
def test_every_holder_has_something_to_serve_when_there_are_blocks_enough(
    block_size: int, blocks: int, holders: int
) -> None:
    chunks = split_into_chunks(blocks * block_size, block_size, holders)

    assert len(chunks) >= min(blocks, 4 * holders)


@given(block_size=block_sizes, size=sizes, holders=st.integers(1, 8))
def test_the_checksums_of_the_chunks_are_those_of_the_file(
    block_size: int, size: tuple[int, int], holders: int
) -> None:
    total = max(0, size[0] * block_size + size[1])
    checksums = b"".join(number.to_bytes(CHECKSUM_BYTES) for number in range(block_count(total, block_size)))

    chunks = split_into_chunks(total, block_size, holders)

    assert b"".join(checksums_of(checksums, chunk, block_size) for chunk in chunks) == checksums


@pytest.mark.parametrize(
    ("size", "blocks"),
    [(0, 0), (1, 1), (BLOCK_SIZE - 1, 1), (BLOCK_SIZE, 1), (BLOCK_SIZE + 1, 2), (10 * 10**9, 38147)],
)
def test_a_file_has_as_many_blocks_as_it_takes(size: int, blocks: int) -> None:
    assert block_count(size, BLOCK_SIZE) == blocks


def test_a_large_file_is_fetched_in_chunks_of_four_mebibytes_that_shrink_to_a_block_at_its_end() -> None:
    """DESIGN §6: memory a transfer is bounded, whatever the file's size."""
    lengths = [chunk.length for chunk in split_into_chunks(10 * 10**9, BLOCK_SIZE, 3)]

    assert lengths[:2300] == [4 * 1024 * 1024] * 2300
    assert lengths[:-1] == sorted(lengths[:-1], reverse=True)
    assert lengths[-13:-1] == [BLOCK_SIZE] * 12


@given(blocks=st.integers(1, 4000), holders=st.integers(1, 8))
def test_holders_of_one_speed_finish_within_a_small_part_of_the_whole_of_each_other(blocks: int, holders: int) -> None:
    """Whoever is free takes the next chunk: the last to finish is one chunk of the end behind at most."""
    busy = [0] * holders
    for chunk in split_into_chunks(blocks * BLOCK_SIZE, BLOCK_SIZE, holders):
        busy[busy.index(min(busy))] += chunk.length

    assert max(busy) - min(busy) <= max(BLOCK_SIZE, blocks * BLOCK_SIZE // (4 * holders))
    assert max(busy) <= blocks * BLOCK_SIZE / holders + BLOCK_SIZE


def test_the_digest_is_zlibs_crc_as_the_wire_contract_says() -> None:
    """proto/dfs.proto, StoredReplica.digest."""
    assert digest(b"") == 0
    assert digest(b"123456789") == zlib.crc32(b"123456789") == 0xCBF43926


@pytest.mark.parametrize(
    ("found", "wanted", "block"),
    [
        (b"", b"", None),
        (b"aaaabbbb", b"aaaabbbb", None),
        (b"aaaabbbb", b"aaaabbbc", 1),
        (b"aaaa", b"aaaabbbb", 1),
        (b"aaaabbbb", b"aaaa", 1),
        (b"xaaabbbb", b"aaaabbbc", 0),
    ],
)
def test_the_first_block_with_another_checksum_is_named(found: bytes, wanted: bytes, block: int | None) -> None:
    assert first_difference(found, wanted) == block
