"""Uploads in whose middle somebody dies (rows 1 to 6): every node is a process, killed with SIGKILL."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from dfslab.core.errors import NoSuchFile, UploadUnconfirmed
from dfslab.core.trace import Kind
from dfslab.runtime import dfs_pb2 as pb
from tests.faults import disks
from tests.faults.case import Case
from tests.faults.changes import Outcome
from tests.faults.dying import Meanwhile, arm, emptiest, wait_for_death
from tests.faults.ledger import Ledger
from tests.faults.plugin import row
from tests.faults.waiting import until, until_none

KB, MB = 1000, 1000 * 1000


def start(case: Case, n: int = 3, replicas: int = 2) -> Ledger:
    """Start processes, with a file on all keepers but one: the next upload goes there."""
    files = case.start(n, replicas=replicas, isolation="process")
    files.upload("earlier", case.rng.randrange(100 * KB, 200 * KB))
    files.cluster.wait_for_replicas()
    return files


def copies_on(files: Ledger, keeper: str) -> list[disks.Copy]:
    return [copy for copy in disks.copies(files.cluster.root) if copy.keeper == keeper]


@row(1)
def test_an_upload_goes_on_with_another_keeper_when_the_first_is_killed_in_its_middle(case: Case) -> None:
    files = start(case)
    victim = emptiest(files)
    for buffer in (1, 2, 4):
        arm(files, victim, "keeper.receiving", at=buffer)

        info = files.upload(f"clip-{buffer}", case.rng.randrange(4 * MB, 6 * MB))

        wait_for_death(case, files, victim, f"at buffer {buffer} of an upload")
        assert victim not in info.holders
        left = disks.temporary_files(files.cluster.root / victim)
        assert left, "it was not in the middle"
        files.cluster.restart(victim)
        assert not [path for path in left if path.exists()], "what was left is swept at the restart"
    assert files.count(Kind.UPLOAD_RETRIED) == 3


@row(3)
def test_a_keeper_killed_between_fsync_and_rename_has_no_replica(case: Case) -> None:
    files = start(case)
    victim = emptiest(files)
    for point in ("sync-data", "before.write-checksums", "sync-checksums", "rename-checksums", "before.rename-data"):
        arm(files, victim, f"keeper.{point}")

        files.upload(f"clip-{point}", case.rng.randrange(100 * KB, 2 * MB))

        wait_for_death(case, files, victim, f"at {point}")
        assert copies_on(files, victim) == []
        files.cluster.restart(victim)
        assert copies_on(files, victim) == []
        assert not disks.temporary_files(files.cluster.root / victim)


@row(4)
def test_a_keeper_killed_before_it_told_the_master_leaves_an_orphan_that_is_collected(case: Case) -> None:
    files = start(case)
    victim = emptiest(files)
    for point in ("rename-data", "sync-directory", "before-report"):
        arm(files, victim, f"keeper.{point}")

        info = files.upload(f"clip-{point}", case.rng.randrange(100 * KB, 2 * MB))

        wait_for_death(case, files, victim, f"at {point}")
        orphans = [copy.version for copy in copies_on(files, victim)]
        assert len(orphans) == case.struck.total()
        assert info.version not in orphans, "the attempt that succeeded has a version of its own"
        files.cluster.restart(victim)
    assert files.count(Kind.ORPHAN_FOUND) >= 3
    until_none("orphans", lambda: [copy.version for copy in copies_on(files, victim)], 20.0)


@row(4)
def test_a_keeper_killed_before_it_told_the_master_of_a_copy_has_it_adopted(case: Case) -> None:
    files = start(case)
    victim, point = emptiest(files), case.rng.choice(["rename-data", "sync-directory", "before-report"])
    arm(files, victim, f"keeper.{point}")

    files.cluster.kill(case.rng.choice(files.holders("earlier")))

    wait_for_death(case, files, victim, f"at {point} of a copy")
    assert disks.copy_on(files.cluster.root, victim, files.version("earlier"))
    assert victim not in files.holders("earlier")
    files.cluster.restart(victim)
    until("the copy to be adopted", lambda: victim in files.holders("earlier"))


@row(5)
def test_an_upload_whose_master_dies_before_the_record_is_no_success_and_its_retry_makes_one_file(case: Case) -> None:
    files = start(case, 2, replicas=1)
    arm(files, "master", "master.before-commit")

    uploading = Meanwhile(lambda: files.upload("clip", case.rng.randrange(100 * KB, 2 * MB)))
    wait_for_death(case, files, "master", "before a record")
    assert not uploading.is_over, "the client has heard something"
    files.cluster.restart_master()

    info = uploading.join()
    assert uploading.error is None
    check_retry(files, "clip", info.version)


@row(5)
def test_an_upload_that_nobody_confirms_is_no_success_and_may_be_made_again(case: Case) -> None:
    files = start(case, 2, replicas=1)
    victim = emptiest(files)
    arm(files, "master", "master.before-commit")

    uploading = Meanwhile(lambda: files.upload("clip", case.rng.randrange(100 * KB, 2 * MB)))
    wait_for_death(case, files, "master", "before a record, for good")
    files.cluster.kill(victim)
    uploading.join()
    assert isinstance(uploading.error, UploadUnconfirmed)
    files.cluster.restart_master()
    files.cluster.restart(victim)

    info = files.upload("clip", case.rng.randrange(100 * KB, 2 * MB))
    check_retry(files, "clip", info.version)


@row(6)
def test_an_upload_whose_master_dies_after_the_record_gets_the_same_version_when_it_asks_again(case: Case) -> None:
    files = start(case, 2, replicas=1)
    before = {info.version for info in files.cluster._client.list()}
    arm(files, "master", "master.after-commit")

    uploading = Meanwhile(lambda: files.upload("clip", case.rng.randrange(100 * KB, 2 * MB)))
    wait_for_death(case, files, "master", "after a record, before the reply")
    files.cluster.restart_master()

    info = uploading.join()
    assert uploading.error is None
    now = {info.version for info in files.cluster._client.list()}
    assert now - before == {info.version}
    check_retry(files, "clip", info.version)


def check_retry(files: Ledger, name: str, version: str) -> None:
    """Ask for a slot under the upload id that has succeeded: there is nothing to send any more."""
    done = [event for event in files.events(Kind.UPLOAD_DONE) if event.version == version]
    request = pb.BeginUploadRequest(
        upload_id=done[0].detail["transfer"], name=name, size=done[0].bytes, ack_replicas=1, client="again"
    )
    reply = files.cluster._client._master.call("BeginUpload", request)
    assert reply.committed.version == version


# -- clients ----------------------------------------------------------------------------------

UPLOADER = """
    import sys
    import dfslab

    address, token, path = sys.argv[1:]
    with dfslab.Client(address, token=token) as client:
        client.upload(path, "clip", progress=lambda done, total: print(done, flush=True))
"""


@row(2)
@pytest.mark.parametrize("how", ["killed", "frozen, then killed"])
def test_a_client_killed_in_its_upload_leaves_no_name_and_no_temporary_file(case: Case, how: str) -> None:
    files = start(case, 3)
    for keeper in ("keeper-1", "keeper-2", "keeper-3"):
        files.cluster.set_link(keeper, rate_mb_s=4)
    source = case.folder / "source"
    source.write_bytes(content := files.content(8 * MB))
    change = files.begin("clip", content)
    command = [sys.executable, "-c", textwrap.dedent(UPLOADER), files.cluster.address, files.cluster.token, str(source)]
    client = case.process(command, stdout=subprocess.PIPE)
    wanted = case.rng.uniform(0.1, 0.7) * len(content)
    assert client.stdout is not None
    while int(client.stdout.readline()) < wanted:
        pass
    assert disks.temporary_files(files.cluster.root), "it is not in the middle"

    if how != "killed":
        client.send_signal(signal.SIGSTOP)
        until_none("what a silent client left", lambda: temporary_files(files), 15.0)
    client.kill()
    assert client.wait() == -signal.SIGKILL
    case.strike(f"client {how} in mid-upload")

    with pytest.raises(NoSuchFile):
        files.cluster.stat("clip")
    until_none("what a dead client left", lambda: temporary_files(files), 10.0)
    files.end(change, Outcome.REFUSED)


def temporary_files(files: Ledger) -> list[str]:
    return [path.name for path in disks.temporary_files(files.cluster.root)]
