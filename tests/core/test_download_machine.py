"""A client's parallel download: who fetches which chunk, and what when keepers fail or dawdle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.blocks import Chunk
from dfslab.core.download import MAX_FAILURES_PER_KEEPER, WORTH_ASKING_S, Download, Fetched
from dfslab.core.policies.chunk_scheduler import ChunkScheduler, InFlight, WorkStealing

BLOCK = 100


def download(chunks: int, *holders: str, scheduler: ChunkScheduler | None = None) -> Download:
    """Return a download of `chunks` chunks of one block each, the last one a little shorter."""
    blocks = 4 * len(holders)  # so many blocks make chunks of one block
    assert chunks <= blocks
    made = Download(chunks * BLOCK - 1, BLOCK, holders, scheduler or WorkStealing())
    assert len(made.chunks) == chunks
    return made


def take(d: Download, keeper: str, now: float) -> Chunk:
    chunk = d.next_chunk(keeper, now)
    assert chunk is not None
    return chunk


def test_idle_keepers_take_from_one_queue_so_that_fast_ones_serve_more() -> None:
    """DESIGN §6: one worker a replica pulls from a shared queue."""
    d = download(8, "fast", "slow")
    slow = take(d, "slow", 0.0)
    served = []
    now = 0.0
    for _ in range(7):
        chunk = take(d, "fast", now)
        now += 0.01
        served.append(chunk.index)
        assert d.arrived("fast", chunk, now).outcome == "ok"

    assert slow.index == 0
    assert served == [1, 2, 3, 4, 5, 6, 7]
    assert not d.finished
    d.arrived("slow", slow, now)
    assert d.finished
    assert d.done_bytes == 8 * BLOCK - 1


def test_every_request_is_kept_for_the_table_of_chunks() -> None:
    """DESIGN §5: Download.chunks, one row a chunk: keeper, offset, bytes, start, end, outcome."""
    d = download(2, "a")
    first, second = take(d, "a", 0.0), d.next_chunk("a", 0.5)
    assert second is not None
    d.arrived("a", first, 1.0)
    d.failed("a", second, "reset", 1.5, fatal=False)

    assert d.requests == [
        Fetched("a", Chunk(0, 0, 100), 0.0, 1.0, "ok"),
        Fetched("a", Chunk(1, 100, 99), 0.5, 1.5, "failed", "reset"),
    ]


def test_an_empty_file_is_there_at_once() -> None:
    """FAULTS 31: 0 bytes."""
    d = Download(0, BLOCK, ["a"], WorkStealing())

    assert d.finished
    assert not d.stuck
    assert d.next_chunk("a", 0.0) is None


def test_a_keeper_that_dies_in_mid_file_leaves_its_chunk_to_the_others() -> None:
    """DESIGN §6: a dead one's chunks go back in the queue, at its head."""
    d = download(4, "a", "b")
    lost = take(d, "a", 0.0)
    take(d, "b", 0.0)

    failed = d.failed("a", lost, "connection reset", 0.5, fatal=True)

    assert failed.outcome == "failed"
    assert (d.holders, d.lost) == (["b"], {"a": "connection reset"})
    assert d.next_chunk("a", 0.6) is None
    assert d.next_chunk("b", 0.6) == lost
    assert not d.stuck


def test_a_keeper_is_given_up_after_three_failures_in_a_row() -> None:
    d = download(4, "a", "b")
    for _ in range(MAX_FAILURES_PER_KEEPER - 1):
        d.failed("a", take(d, "a", 0.0), "stalled", 1.0, fatal=False)
    assert d.holders == ["a", "b"]
    d.arrived("a", take(d, "a", 1.0), 2.0)

    for _ in range(MAX_FAILURES_PER_KEEPER - 1):
        d.failed("a", take(d, "a", 2.0), "stalled", 3.0, fatal=False)
    assert d.holders == ["a", "b"], "a success in between wipes the slate"
    d.failed("a", take(d, "a", 3.0), "stalled", 4.0, fatal=False)
    assert d.holders == ["b"]


def test_when_every_keeper_is_lost_the_download_is_stuck_and_knows_why() -> None:
    """FAULTS 12: a clear error; never a short file."""
    d = download(3, "a", "b")
    d.failed("a", take(d, "a", 0.0), "bad block", 1.0, fatal=True)
    assert not d.stuck
    d.failed("b", take(d, "b", 0.0), "refused", 1.0, fatal=True)

    assert d.stuck
    assert not d.finished
    assert d.lost == {"a": "bad block", "b": "refused"}


def test_a_finished_download_is_not_stuck_although_its_keepers_are_lost() -> None:
    d = download(1, "a", "b")
    chunk = take(d, "a", 0.0)
    assert d.next_chunk("b", 0.6) == chunk
    d.arrived("b", chunk, 0.7)
    d.failed("a", chunk, "reset", 0.8, fatal=True)

    assert d.finished
    assert not d.stuck


def test_the_tail_is_hedged_when_a_keeper_dawdles() -> None:
    """FAULTS 20; Dean & Barroso 2013: an idle keeper fetches the late chunk too; the first whole copy is used."""
    d = download(3, "slow", "fast")
    late = take(d, "slow", 0.0)
    for now in (0.0, 0.1):
        d.arrived("fast", take(d, "fast", now), now + 0.1)

    assert d.next_chunk("fast", 0.199) is None, "the mean is 0.1 s: not late before twice that"
    assert d.next_chunk("fast", 0.2) == late
    assert d.arrived("fast", late, 0.3).outcome == "ok"
    assert d.finished
    assert d.is_done(late)


def test_what_a_request_has_waited_for_before_it_left_is_not_its_keepers_delay() -> None:
    """Neither for the hedge nor for the size of the next chunks: this machine had no turn for it before."""
    d = download(8, "a", "b")
    first, second = take(d, "a", 0.0), take(d, "b", 0.0)

    d.began("a", first, 5.0)
    fetched = d.arrived("a", first, 5.0 + WORTH_ASKING_S / 3)
    assert fetched.start_s == 5.0
    assert take(d, "a", 6.0).length == 3 * BLOCK, "it passed fast"

    d.began("b", second, 7.0)
    assert d.arrived("b", second, 7.1).start_s == 7.0


def test_a_chunk_that_waits_for_its_turn_is_not_late() -> None:
    d = download(3, "slow", "fast")
    late = take(d, "slow", 0.0)
    for now in (0.0, 0.1):
        d.arrived("fast", take(d, "fast", now), now + 0.1)

    d.began("slow", late, 1.0)

    assert d.next_chunk("fast", 1.1) is None
    assert d.next_chunk("fast", 1.25) == late


def test_a_hedge_that_comes_second_is_a_duplicate_and_counts_no_bytes() -> None:
    d = download(1, "a", "b")
    chunk = take(d, "a", 0.0)
    assert d.next_chunk("b", 0.5) == chunk

    assert d.arrived("a", chunk, 0.6) == Fetched("a", chunk, 0.0, 0.6, "ok")
    assert d.arrived("b", chunk, 0.7) == Fetched("b", chunk, 0.5, 0.7, "duplicate")
    assert d.done_bytes == BLOCK - 1


class Together:
    """A scheduler of somebody's own: all keepers fetch the same chunk, whichever is first missing."""

    def next_chunk(
        self,
        keeper: str,
        waiting: Sequence[Chunk],
        in_flight: Mapping[int, InFlight],
        chunk_s: float | None,
        now: float,
    ) -> Chunk | None:
        return min([*waiting, *(flight.chunk for flight in in_flight.values())], key=lambda chunk: chunk.index)


def test_a_fetch_that_is_broken_off_because_the_chunk_is_there_is_cancelled_and_no_failure() -> None:
    d = download(MAX_FAILURES_PER_KEEPER + 1, "a", "b", scheduler=Together())

    for chunk in d.chunks:
        assert take(d, "a", 0.0) == take(d, "b", 0.0) == chunk
        d.arrived("b", chunk, 0.1)
        assert d.failed("a", chunk, "not needed any more", 0.2, fatal=False).outcome == "cancelled"

    assert d.holders == ["a", "b"]
    assert d.finished


def test_a_hedged_chunk_whose_first_fetch_fails_is_left_to_the_second() -> None:
    d = download(1, "a", "b")
    chunk = take(d, "a", 0.0)
    d.next_chunk("b", 0.5)

    d.failed("a", chunk, "reset", 0.6, fatal=False)

    assert d.arrived("b", chunk, 0.8).outcome == "ok"
    assert d.finished
    assert d.next_chunk("a", 0.9) is None


def test_a_hedged_chunk_that_fails_twice_is_fetched_again() -> None:
    d = download(1, "a", "b")
    chunk = take(d, "a", 0.0)
    d.next_chunk("b", 0.5)
    d.failed("a", chunk, "reset", 0.6, fatal=False)
    d.failed("b", chunk, "reset", 0.7, fatal=False)

    assert d.next_chunk("a", 0.8) == chunk


def test_chunks_that_pass_faster_than_it_is_worth_to_ask_for_them_are_asked_for_together() -> None:
    """A plain network pays for no small chunk at the end, a slow link has them."""
    d = download(8, "a", "b")
    first, slow = take(d, "a", 0.0), take(d, "b", 0.0)
    d.arrived("a", first, WORTH_ASKING_S / 3)

    second = take(d, "a", 1.0)

    assert second == Chunk(2, 2 * BLOCK, 3 * BLOCK)
    assert d.failed("a", second, "reset", 1.1, fatal=False).outcome == "failed"
    assert take(d, "a", 1.2) == second
    d.arrived("a", second, 1.2 + 10 * WORTH_ASKING_S)
    assert take(d, "a", 2.0) == Chunk(5, 5 * BLOCK, BLOCK)
    assert d.done_bytes == 4 * BLOCK
    assert not d.finished
    d.arrived("b", slow, 2.0)


class FromTheFirstSight:
    """A scheduler of somebody's own that goes by the chunks that it saw first."""

    seen: tuple[Chunk, ...] = ()

    def next_chunk(
        self, keeper: str, waiting: Sequence[Chunk], in_flight: object, chunk_s: object, now: float
    ) -> Chunk | None:
        self.seen = self.seen or tuple(waiting)
        first, *rest = self.seen
        self.seen = (*rest, first)
        return first


def test_a_scheduler_that_names_a_chunk_as_it_was_gets_what_it_is_now_and_each_byte_once() -> None:
    d = download(8, "a", "b", scheduler=FromTheFirstSight())
    got = []
    for step in range(20):
        chunk = d.next_chunk("a", step)
        if chunk is not None:
            got.append(chunk)
            d.arrived("a", chunk, step + WORTH_ASKING_S / 3)

    assert [(chunk.offset, chunk.length) for chunk in got] == [(0, 100), (100, 300), (400, 399)]
    assert d.finished


class Stubborn:
    """A scheduler of somebody's own that insists on one chunk."""

    def next_chunk(self, keeper: str, waiting: object, in_flight: object, chunk_s: object, now: float) -> Chunk | None:
        return Chunk(0, 0, BLOCK)


def test_a_chunk_that_is_there_is_not_fetched_again_whatever_the_scheduler_says() -> None:
    d = download(2, "a", scheduler=Stubborn())
    d.arrived("a", take(d, "a", 0.0), 0.1)

    assert d.next_chunk("a", 0.2) is None


@given(data=st.data(), chunks=st.integers(1, 12), keepers=st.integers(1, 4))
def test_whatever_fails_in_whatever_order_a_download_ends_whole_or_stuck(
    data: st.DataObject, chunks: int, keepers: int
) -> None:
    """Guarantees 2 and 8: every chunk exactly once, or an error that names every keeper's reason."""
    holders = [f"keeper-{number}" for number in range(max(keepers, -(-chunks // 4)))]
    d = download(chunks, *holders)
    busy: dict[str, Chunk] = {}
    now = 0.0
    while not d.finished and not d.stuck:
        now += 1.0
        for keeper in d.holders:
            chunk = d.next_chunk(keeper, now) if keeper not in busy else None
            if chunk is not None:
                busy[keeper] = chunk
        assert busy, "somebody is always at work"
        keeper = data.draw(st.sampled_from(sorted(busy)))
        outcome = data.draw(st.sampled_from(["ok", "ok", "failed", "fatal"]))
        if outcome == "ok":
            d.arrived(keeper, busy.pop(keeper), now)
        else:
            d.failed(keeper, busy.pop(keeper), outcome, now, fatal=outcome == "fatal")

    ok = [request.chunk.index for request in d.requests if request.outcome == "ok"]
    assert len(ok) == len(set(ok))
    assert d.done_bytes == sum(d.chunks[index].length for index in ok)
    if d.finished:
        assert sorted(ok) == list(range(chunks))
    else:
        assert sorted(d.lost) == sorted(holders)
