"""Disks that fill up, fail, flip bits, tear files or lie (rows 13 to 19, 39)."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import crc32c
import pytest

from dfslab.client import Download
from dfslab.core.model import StoredReplica
from dfslab.core.trace import Kind
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.replica_writer import ReplicaWriter
from tests.faults import disks
from tests.faults.case import Case
from tests.faults.disks import Tmpfs
from tests.faults.dying import arm, emptiest
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
        case "flipped bit":
            content = copy.data.read_bytes()
            where = case.rng.randrange(size)
            copy.data.write_bytes(content[:where] + bytes([content[where] ^ 4]) + content[where + 1 :])
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


@row(39)
def test_a_keeper_that_reports_what_it_threw_away_is_found_by_the_first_reader(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target of a copy does all that it should, but for the bytes: they are gone once their name is reported."""
    files = case.start()
    liars: list[str] = []
    publish, commits = ReplicaWriter.commit, itertools.count(1)

    def publish_and_throw_away(writer: ReplicaWriter) -> StoredReplica:
        stored = publish(writer)
        if next(commits) == 2:  # the first is the upload, the others are its copies
            liars.append(disks.Copy(Path(stored.path)).keeper)
            Path(stored.path).unlink()
        return stored

    monkeypatch.setattr(ReplicaWriter, "commit", publish_and_throw_away)
    files.upload("clip", case.rng.randrange(600 * KB, 2 * MB))
    files.cluster.wait_for_replicas("clip")
    (liar,) = liars

    got = files.download("clip", scheduler=FirstFrom(liar))

    case.strike("lies that a reader met", failed_chunks(got, liar, "holds no replica"))
    until("the lie to be known", lambda: found_bad(files, liar))


def forgotten(files: Ledger, keeper: str) -> int:
    return sum(event.peer == keeper for event in files.events(Kind.REPLICA_FORGOTTEN))


# -- what nobody reads ------------------------------------------------------------------------


@row(16, 17, 18)
def test_harm_that_nobody_reads_is_found_by_the_scrubber_set_aside_and_replaced(case: Case) -> None:
    files = case.start()
    harms = ["flipped bit", "too long", "cut short", "checksums damaged", "checksums missing"]
    for harm in harms:
        files.upload(harm, case.rng.randrange(100 * KB, 600 * KB))
    files.cluster.wait_for_replicas()
    victims = {}
    for harm in harms:
        victims[harm] = case.rng.choice(files.holders(harm))
        do_harm(disks.copy_on(files.cluster.root, victims[harm], files.version(harm)), harm, case)

    for keeper in sorted(set(victims.values())):
        files.cluster.scrub_now(keeper)

    for harm, keeper in victims.items():
        found = [one for one in files.events(Kind.REPLICA_CORRUPT) if (one.file_name, one.peer) == (harm, keeper)]
        case.strike(harm, len(found))
    assert case.struck.total() == len(harms), case.struck


@row(25)
@pytest.mark.parametrize("scrub_mb_s", [16.0, 0.02])
def test_copies_that_went_bad_while_their_keepers_were_away_do_not_push_good_ones_out(
    case: Case, scrub_mb_s: float
) -> None:
    """Three keepers die one after another and come back with rotten copies: of six live copies, three are bad."""
    files = case.start(6, scrub_rate_mb_s=scrub_mb_s)
    first = stored(case, files)
    version = files.version("clip")
    for keeper in first:
        files.cluster.kill(keeper)
        files.cluster.wait_for_dead(keeper)
        files.cluster.wait_for_replicas("clip")
    files.upload("later", 2 * MB)  # on the good three, so that they are the fullest, which give up copies first
    files.cluster.wait_for_replicas("later")
    good = files.holders("clip")
    for keeper in first:
        rot(disks.copy_on(files.cluster.root, keeper, version))

    for keeper in first:
        files.cluster.restart(keeper)
        case.strike("rotten copies that came back")
    until("the surplus to go", lambda: len(files.holders("clip")) <= files.replicas)

    assert [event for event in files.events(Kind.REPLICA_DROP_ORDERED) if event.peer in good] == []
    files.download("clip")


def rot(copy: disks.Copy) -> None:
    """Flip a bit at the very end, where a slow scrubber comes last."""
    content = copy.data.read_bytes()
    copy.data.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


# -- disks that are full, or fail -------------------------------------------------------------


@row(13)
@pytest.mark.parametrize("moment", ["before an upload", "in the middle of an upload"])
def test_a_full_disk_sends_the_upload_to_another_keeper_and_keeps_what_it_has(case: Case, moment: str) -> None:
    root = case.folder / "cluster"
    disk = Tmpfs(root / "keeper-1", 12 * MB)
    case.finally_(disk.unmount)
    beats_seldom = {"heartbeat_interval_s": 600.0, "heartbeat_timeout_s": 1300.0}  # the master is not to hear of it
    files = case.start(1, replicas=1, isolation="process", root=root, **beats_seldom)
    old = files.content(700 * KB)
    files.upload("old", old)
    files.cluster.add_keeper()
    ballast = files.content(900 * KB)
    files.upload("ballast", ballast)  # on keeper-2, so that keeper-1 is the next one's
    files.cluster.set_link("keeper-1", rate_mb_s=8)

    def fill(done: int, total: int) -> None:
        if done and not disk.is_full:
            disk.fill()

    if moment == "before an upload":
        disk.fill()
    info = files.upload("clip", 3 * MB, progress=fill)

    assert info.holders == ("keeper-2",)
    (refused,) = [one for one in files.events(Kind.UPLOAD_RETRIED) if one.peer == "keeper-1"]
    assert "keeper-1 could not store the replica" in refused.detail["reason"]
    assert ("disk is full" in refused.detail["reason"]) == (moment != "before an upload"), refused.detail["reason"]
    case.strike(f"a disk that was full {moment}")
    assert not disks.temporary_files(root / "keeper-1")
    files.download("old")
    disk.free()


@row(15)
def test_after_a_failed_fsync_there_is_no_acknowledgement_no_second_one_and_no_replica(case: Case) -> None:
    files = case.start(2, replicas=1, isolation="process")
    files.upload("earlier", 100 * KB)
    victim = emptiest(files)  # and it stays so: nothing that is asked of it succeeds
    for step in ("sync-data", "sync-checksums", "sync-directory"):
        before = files.count(Kind.UPLOAD_RETRIED)
        arm(files, victim, f"keeper.before.{step}", "EIO")

        info = files.upload(f"clip-{step}", case.rng.randrange(100 * KB, 2 * MB))

        passed = files.cluster._nodes.disarm(victim, f"keeper.before.{step}")
        assert passed == 1, "an fsync was tried again"
        case.strike(f"EIO at {step}", passed)
        retried = files.events(Kind.UPLOAD_RETRIED)[before:]
        assert [one.peer for one in retried] == [victim]
        assert "could not store the replica" in retried[0].detail["reason"]
        assert victim not in info.holders
        assert [copy for copy in disks.copies(files.cluster.root) if copy.keeper == victim] == []
        assert not disks.temporary_files(files.cluster.root / victim)


@row(15)
def test_a_copy_whose_fsync_fails_is_no_copy_and_is_made_again(case: Case) -> None:
    files = case.start(3, replicas=2, isolation="process")
    files.upload("clip", case.rng.randrange(100 * KB, 2 * MB))
    files.cluster.wait_for_replicas()
    victim = emptiest(files)
    arm(files, victim, "keeper.before.sync-data", "EIO")

    files.cluster.kill(case.rng.choice(files.holders("clip")))

    failed = until("the copy to fail", lambda: files.events(Kind.COPY_FAILED))
    case.strike("copies whose fsync failed", sum(one.peer == victim for one in failed))
    files.cluster.wait_for_replicas("clip")
