"""Disks that fill up, fail, flip bits, tear files or lie (rows 13 to 19, 39)."""

from __future__ import annotations

import struct

import crc32c
import pytest

from dfslab.client import Download
from dfslab.core.trace import Kind
from dfslab.runtime import dfs_pb2 as pb
from tests.faults import disks
from tests.faults.case import Case
from tests.faults.ledger import Ledger
from tests.faults.plugin import row
from tests.faults.reading import FirstFrom
from tests.faults.waiting import until

KB, MB = 1000, 1000 * 1000


def stored(case: Case, files: Ledger, name: str = "clip") -> list[str]:
    """Upload a file of a drawn size, and return its holders once it has all its copies."""
    files.upload(name, case.rng.randrange(600 * KB, 2 * MB))
    files.cluster.wait_for_replicas(name)
    return files.holders(name)


def failed_chunks(download: Download, keeper: str, words: str) -> int:
    """Return how many chunks of a keeper were refused for that reason."""
    chunks = download.chunks
    return int(((chunks.keeper == keeper) & (chunks.outcome == "failed") & chunks.reason.str.contains(words)).sum())


def found_bad(files: Ledger, keeper: str) -> int:
    """Return how often the master was told that a keeper's replica is bad."""
    return sum(event.peer == keeper for event in files.events(Kind.REPLICA_CORRUPT))


@row(16)
def test_a_flipped_bit_is_caught_before_delivery_and_its_replica_replaced(case: Case) -> None:
    files = case.start()
    victim = case.rng.choice(stored(case, files))
    files.cluster.corrupt("clip", victim, "bitflip")

    got = files.download("clip", scheduler=FirstFrom(victim))

    case.strike("flipped bits that a reader met", failed_chunks(got, victim, "fails its CRC32C"))
    until("the replica to be known as bad", lambda: found_bad(files, victim))


@row(17)
@pytest.mark.parametrize("how", ["truncate", "swap"])
def test_a_torn_replica_is_caught_before_delivery_and_replaced(case: Case, how: str) -> None:
    files = case.start()
    victim = case.rng.choice(stored(case, files))
    files.cluster.corrupt("clip", victim, how)

    got = files.download("clip", scheduler=FirstFrom(victim))

    case.strike("torn replicas that a reader met", failed_chunks(got, victim, "fails its CRC32C|is bad"))
    until("the replica to be known as bad", lambda: found_bad(files, victim))


@row(17, 18)
@pytest.mark.parametrize("harm", ["too long", "cut short", "checksums damaged", "checksums missing", "checksums empty"])
def test_a_replica_that_a_restarted_keeper_finds_harmed_is_not_believed(case: Case, harm: str) -> None:
    files = case.start()
    victim = case.rng.choice(stored(case, files))
    copy = disks.copy_on(files.cluster.root, victim, files.version("clip"))
    files.cluster.kill(victim)
    do_harm(copy, harm, case)

    files.cluster.restart(victim)

    until("the replica to be known as bad", lambda: found_bad(files, victim))
    case.strike(harm)


def do_harm(copy: disks.Copy, harm: str, case: Case) -> None:
    size = copy.data.stat().st_size
    noted = copy.crc.read_bytes()
    at = case.rng.randrange(len(noted))
    match harm:
        case "too long":
            with copy.data.open("ab") as file:
                file.write(case.rng.randbytes(case.rng.randrange(1, 300 * KB)))
        case "cut short":
            with copy.data.open("r+b") as file:
                file.truncate(case.rng.randrange(size))
        case "checksums damaged":
            copy.crc.write_bytes(noted[:at] + bytes([noted[at] ^ 1]) + noted[at + 1 :])
        case "checksums missing":
            copy.crc.unlink()
        case "checksums empty":
            copy.crc.write_bytes(b"")
        case _:
            raise AssertionError(harm)


@row(18, 39)
def test_other_bytes_with_checksums_that_fit_them_are_caught_by_the_first_reader(case: Case) -> None:
    """The reader's checksums are the master's: what lies beside the bytes proves nothing."""
    files = case.start()
    victim = case.rng.choice(stored(case, files))
    forge(disks.copy_on(files.cluster.root, victim, files.version("clip")), case)

    got = files.download("clip", scheduler=FirstFrom(victim))

    case.strike("forged blocks that a reader met", failed_chunks(got, victim, "fails its CRC32C"))
    until("the replica to be known as bad", lambda: found_bad(files, victim))


def forge(copy: disks.Copy, case: Case) -> None:
    """Put other bytes of the same length in a replica's place, and checksums that fit them."""
    content = case.rng.randbytes(copy.data.stat().st_size)
    message = pb.ReplicaChecksums.FromString(copy.crc.read_bytes()[4:])
    blocks = (content[at : at + message.block_size] for at in range(0, len(content), message.block_size))
    message.checksums = b"".join(struct.pack(">I", crc32c.crc32c(block)) for block in blocks)
    noted = message.SerializeToString()
    copy.data.write_bytes(content)
    copy.crc.write_bytes(struct.pack(">I", crc32c.crc32c(noted)) + noted)
    assert copy.wrong() == ""


@row(19)
def test_with_two_of_three_replicas_bad_the_third_repairs_them_and_is_never_deleted(case: Case) -> None:
    files = case.start()
    holders = stored(case, files)
    good = case.rng.choice(holders)
    bad = [keeper for keeper in holders if keeper != good]
    for keeper in bad:
        files.cluster.corrupt("clip", keeper, case.rng.choice(["bitflip", "truncate"]))

    files.download("clip", scheduler=FirstFrom(*bad))

    until("both to be known as bad", lambda: all(found_bad(files, keeper) for keeper in bad))
    case.strike("bad replicas", len(bad))
    files.cluster.wait_for_replicas("clip")
    assert [event for event in files.events(Kind.REPLICA_DROP_ORDERED) if event.peer == good] == []


@row(39)
def test_a_replica_that_a_keeper_claims_and_has_not_is_found_by_the_first_reader(case: Case) -> None:
    files = case.start()
    victim = case.rng.choice(stored(case, files))
    disks.copy_on(files.cluster.root, victim, files.version("clip")).data.unlink()

    got = files.download("clip", scheduler=FirstFrom(victim))

    case.strike("claims that a reader met", failed_chunks(got, victim, "holds no replica"))
    until("the replica to be known as bad", lambda: found_bad(files, victim))


@row(39)
def test_a_replica_that_a_keeper_claims_and_has_not_is_found_by_its_next_report(case: Case) -> None:
    files = case.start()
    victim = case.rng.choice(stored(case, files))
    copy = disks.copy_on(files.cluster.root, victim, files.version("clip"))
    files.cluster.kill(victim)
    copy.data.unlink()

    files.cluster.restart(victim)

    until("the row to be taken out", lambda: forgotten(files, victim) or found_bad(files, victim))
    case.strike("claims that a report took back")


def forgotten(files: Ledger, keeper: str) -> int:
    return sum(event.peer == keeper for event in files.events(Kind.REPLICA_FORGOTTEN))
