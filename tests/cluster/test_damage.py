"""Damage to real files: certain to change something, where the seed says, and told from a repair."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.errors import InvalidOption
from dfslab.core.faults import DAMAGES
from dfslab.lab.damage import HOWS, Damage, damage

BLOCK = 64


def replica(folder: Path, data: bytes) -> Path:
    path = folder / "v1.data"
    path.write_bytes(data)
    path.with_suffix(".crc").write_bytes(b"checksums of it")
    return path


def test_every_way_to_damage_a_replica_that_an_action_may_name_is_there() -> None:
    assert set(HOWS) == set(DAMAGES)


@given(data=st.binary(min_size=1, max_size=400), how=st.sampled_from(sorted(HOWS)), seed=st.integers(0, 99))
def test_damage_changes_the_file_or_is_refused(tmp_path_factory, data: bytes, how: str, seed: int) -> None:  # type: ignore[no-untyped-def]
    path = replica(tmp_path_factory.mktemp("store"), data)

    try:
        changed, size, (offset, byte) = damage(path, how, BLOCK, random.Random(seed))
    except InvalidOption:
        refused = True
    else:
        refused = False
    if refused:
        assert how == "swap"
        assert path.read_bytes() == data
        return

    before = b"checksums of it" if how == "checksum" else data
    after = changed.read_bytes()
    assert after != before
    assert len(after) == size
    assert after[offset : offset + 1] == byte != before[offset : offset + 1]
    assert after[:offset] == before[:offset] or how == "swap"
    assert sorted(after) == sorted(before) or how != "swap"
    assert changed.suffix == (".crc" if how == "checksum" else ".data")
    assert Damage("keeper-1", "v1", changed, size, offset, byte).lasts()
    changed.write_bytes(before)
    assert not Damage("keeper-1", "v1", changed, size, offset, byte).lasts()


def test_the_same_seed_damages_the_same_place(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(1000)

    found = [damage(replica(tmp_path, data), "bitflip", BLOCK, random.Random(5)) for _ in range(2)]

    assert found[0] == found[1]
    assert damage(replica(tmp_path, data), "bitflip", BLOCK, random.Random(6)) != found[0]


def test_a_flipped_bit_is_one_bit(tmp_path: Path) -> None:
    data = bytes(1000)
    path = replica(tmp_path, data)

    damage(path, "bitflip", BLOCK, random.Random(5))

    assert sum(byte.bit_count() for byte in path.read_bytes()) == 1


def test_two_whole_blocks_that_differ_are_swapped_though_most_are_the_same(tmp_path: Path) -> None:
    data = bytes(9 * BLOCK) + b"x" * BLOCK + b"tail"
    path = replica(tmp_path, data)

    damage(path, "swap", BLOCK, random.Random(5))

    after = path.read_bytes()
    assert after != data
    assert after.endswith(b"tail")
    assert sorted(after[at : at + BLOCK] for at in range(0, 10 * BLOCK, BLOCK))[-1] == b"x" * BLOCK


@pytest.mark.parametrize("data", [b"a", b"abab", bytes(10 * BLOCK)])
def test_a_swap_that_would_change_nothing_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidOption, match="swapping two changes nothing"):
        damage(replica(tmp_path, data), "swap", BLOCK, random.Random(5))


@pytest.mark.parametrize("how", ["bitflip", "truncate", "swap"])
def test_an_empty_file_has_nothing_to_damage_but_its_checksums(tmp_path: Path, how: str) -> None:
    path = replica(tmp_path, b"")

    with pytest.raises(InvalidOption, match="empty"):
        damage(path, how, BLOCK, random.Random(5))
    damage(path, "checksum", BLOCK, random.Random(5))


def test_a_symlink_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (tmp_path / "v1.data").symlink_to(secret)

    with pytest.raises(OSError, match="symbolic"):
        damage(tmp_path / "v1.data", "bitflip", BLOCK, random.Random(5))
    assert secret.read_bytes() == b"secret"
