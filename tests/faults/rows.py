"""The fault matrix: what may go wrong, and what must then happen. Every row has its cases in this folder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One fault, and what must happen besides what the oracle asks of every case (`tests.faults.ledger`)."""

    number: int
    fault: str
    must: str


_ROWS = (
    Row(
        1,
        "keeper killed (-9) in the middle of an upload",
        "the client goes on with another keeper; the temporary file is swept at restart",
    ),
    Row(2, "client killed in mid-upload", "the name is not visible; the temporary file expires"),
    Row(3, "keeper killed after fsync, before rename", "no replica"),
    Row(
        4,
        "keeper killed after rename, before it told the master",
        "the orphan is adopted or collected, never half-known",
    ),
    Row(
        5,
        "keeper stored it, the master dies before the record",
        "the client hears no success; a retry with the same upload id is idempotent",
    ),
    Row(6, "the master recorded it and dies before the reply", "the retry returns the same version"),
    Row(7, "the master killed (-9) at any point of a catalog write", "it restarts with every acknowledged file"),
    Row(8, "catalog file damaged", "the master refuses to start and says which file and why; nothing is overwritten"),
    Row(9, "repair source killed", "another source"),
    Row(10, "repair target killed", "the part-copy never counts"),
    Row(11, "two of three holders die", "reads go on; files with one copy are repaired first"),
    Row(12, "all three die", '"unavailable", naming them; never an empty file; it is back when one is'),
    Row(13, "disk full on a keeper", "a typed error, another keeper, the old data intact"),
    Row(14, "disk full on the master", "read-only, and it says so"),
    Row(15, "fsync fails (EIO)", "no acknowledgement, no second fsync: the replica has failed"),
    Row(16, "one flipped bit in a replica", "caught before delivery; another copy serves; quarantine; repair"),
    Row(17, "a replica cut short, or too long", "the same"),
    Row(18, "the checksum file damaged or missing", "a bad replica, never a bypass"),
    Row(19, "two of three replicas bad", "repaired from the third; the last good one is never deleted"),
    Row(20, "a keeper at 10 KB/s", "downloads finish on the others; tail hedged"),
    Row(21, "a keeper frozen (SIGSTOP) 5 s, 60 s, then continued", "dead after the timeout; back as a new incarnation"),
    Row(22, "keeper → master cut, client → keeper open", "nothing committed on a lapsed registration"),
    Row(23, "master → keeper cut, heartbeats arrive", "copies are routed elsewhere"),
    Row(24, "a keeper that flaps every 2 s", "copies stay bounded"),
    Row(25, "a dead keeper returns after the repair", "trimmed to the target, after verification"),
    Row(26, "the same id comes back with a wiped or an old disk", "its old claims are not believed"),
    Row(27, "two keepers on one directory", "the second is refused by a lock"),
    Row(28, "the same name uploaded by many at once", "one whole winner each time; no mix"),
    Row(29, "deleted or overwritten during a download or a repair", "the old version or the new one; no resurrection"),
    Row(
        30,
        "names '../x', '/etc/x', NUL, 256 bytes, not UTF-8, a symlink in the store",
        "refused; nothing outside the root",
    ),
    Row(31, "0 bytes; 1; block size ± 1; 10 GB", "identical; memory bounded"),
    Row(32, "garbage, a wrong version or a 2^63 length on the data port", "closed; nothing allocated"),
    Row(33, "500 connections that dribble", "idle timeout; real clients are served"),
    Row(34, "port taken", "a clear error, and the start undoes itself"),
    Row(35, "wall clock ± 1 h", "no mass death: the clock is monotonic"),
    Row(36, "everything restarts together", "no copies or deletes until reports are in (safe mode)"),
    Row(37, "two live keepers, target 3", '"degraded" is reported; no spinning'),
    Row(38, "a token forged, lapsed or replayed", "refused, on both ports"),
    Row(39, "a keeper that lies: says it stored what it did not", "found by the report or the first reader; repaired"),
    Row(
        40,
        "the notebook's kernel is interrupted or restarted in mid-transfer",
        "no leftovers; the next start is clean",
    ),
)

ROWS = {row.number: row for row in _ROWS}
