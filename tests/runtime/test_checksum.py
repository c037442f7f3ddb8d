"""CRC32C of blocks, and of several at once."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.blocks import first_difference
from dfslab.runtime.checksum import block_crcs, crc, first_bad_block, joined


def test_the_checksum_is_the_one_of_the_standard() -> None:
    """RFC 3720, B.4."""
    assert crc(bytes(32)) == bytes.fromhex("8a9136aa")
    assert crc(bytes(range(32))) == bytes.fromhex("46dd794e")


@given(st.binary(max_size=200), st.integers(1, 70), st.data())
def test_several_blocks_checked_at_once_are_judged_as_each_by_itself(
    content: bytes, block_size: int, data: st.DataObject
) -> None:
    wanted = block_crcs(memoryview(content), block_size)
    flips = data.draw(st.dictionaries(st.integers(0, max(0, len(content) - 1)), st.integers(1, 255), max_size=3))
    got = bytearray(content)
    for place, flip in flips.items():
        if got:
            got[place] ^= flip

    bad = first_bad_block(memoryview(got), block_size, wanted)

    assert bad == first_difference(block_crcs(memoryview(got), block_size), wanted)
    assert bad == (min(flips) // block_size if flips and content else None)


@given(st.integers(1, 5000), st.integers(0, 6), st.randoms(use_true_random=False))
def test_the_checksum_of_several_blocks_follows_from_their_own(block_size: int, blocks: int, rng: Random) -> None:
    content = rng.randbytes(block_size * blocks)

    assert joined(block_crcs(memoryview(content), block_size), block_size) == int.from_bytes(crc(content))


@pytest.mark.parametrize("blocks", [1, 2, 4])
@pytest.mark.parametrize("block_size", [64 * 1024, 256 * 1024])
def test_a_flipped_bit_is_found_in_the_last_block_of_a_transfer_buffer(block_size: int, blocks: int) -> None:
    content = bytearray(bytes(range(256)) * (block_size // 256) * blocks)
    wanted = block_crcs(memoryview(content), block_size)

    assert first_bad_block(memoryview(content), block_size, wanted) is None
    content[-1] ^= 1
    assert first_bad_block(memoryview(content), block_size, wanted) == blocks - 1


def test_a_checksum_too_few_or_too_many_is_a_difference() -> None:
    content = memoryview(bytes(100))
    wanted = block_crcs(content, 50)

    assert first_bad_block(content, 50, wanted[:4]) == 1
    assert first_bad_block(content, 50, wanted + wanted[:4]) == 2
