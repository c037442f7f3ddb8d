"""Predictions of transfers, held against the real machines and buckets in virtual time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.blocks import BLOCK_SIZE, Chunk, split_into_chunks
from dfslab.core.download import Download
from dfslab.core.errors import InvalidOption
from dfslab.core.links import BURST_S, Bucket, Link
from dfslab.core.options import Options
from dfslab.core.policies import POLICIES, resolve
from dfslab.core.predict import Prediction, download_rate_mb_s, download_s, upload_s
from dfslab.core.predict.wires import fair_shares

MB = 1_000_000
TEN, TWENTY, THIRTY = Link(rate_mb_s=10), Link(rate_mb_s=20), Link(rate_mb_s=30)
QUANTUM = 64 * 1024


def simulated_download_s(size: int, holders: Sequence[Link], client: Link, scheduler: str = "work-stealing") -> float:
    """Return how long the download machine takes over buckets and delays, in virtual time."""
    names = [f"keeper-{number}" for number in range(len(holders))]
    links = dict(zip(names, holders, strict=True))
    machine = Download(size, BLOCK_SIZE, names, resolve("chunk_scheduler", scheduler))
    buckets = {name: Bucket() for name in [*names, "client"]}
    trips = {name: 2 * (links[name].delay_ms + client.delay_ms) / 1e3 for name in names}
    steps: list[tuple[float, str, Chunk | None, int]] = [(0.0, name, None, 0) for name in names]
    asked: dict[str, None] = {}
    heapq.heapify(steps)
    while not machine.finished:
        now, name, chunk, left = heapq.heappop(steps)
        if chunk is not None and left == 0:
            machine.arrived(name, chunk, now)
            chunk = None
        if machine.finished:
            return now + 2 * client.delay_ms / 1e3  # the call to the master
        if chunk is None:
            chunk = machine.next_chunk(name, now)
            trip = trips[name] * (2 if name not in asked else 1)  # the first request needs a handshake
            asked[name] = None
            step = (now + 0.005, name, None, 0) if chunk is None else (now + trip, name, chunk, chunk.length)
            heapq.heappush(steps, step)
            continue
        passed = 0 if machine.is_done(chunk) else min(QUANTUM, left)
        left = left - passed if passed else 0
        for end in (name, "client"):
            rate = links[end].rate_mb_s if end != "client" else client.rate_mb_s
            if rate is not None and passed:
                now = max(now, buckets[end].reserve(passed, rate, now))
        heapq.heappush(steps, (now, name, chunk, left))
    raise AssertionError("it has no chunks")


# -- downloads ----------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [Link(), THIRTY, Link(rate_mb_s=50, delay_ms=5)])
@pytest.mark.parametrize("delay_ms", [0, 3, 8, 40])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("size", [300_000, 20 * MB, 64 * MB])
def test_a_download_from_equal_holders_takes_what_was_predicted(
    size: int, count: int, delay_ms: float, client: Link
) -> None:
    holders = [replace(TWENTY, delay_ms=delay_ms)] * count

    predicted = download_s(size, holders, client, slack_s=0.0)
    seen = simulated_download_s(size, holders, client)

    assert predicted.low - 1e-6 <= seen <= predicted.high, (predicted, seen)
    rests = 2 * (delay_ms + client.delay_ms) / 1e3 > BURST_S
    in_step = rests and client.rate_mb_s is not None and count > 1  # whether holders rest at the same time is chance
    assert seen == pytest.approx(predicted.typical, rel=0.2 if in_step else 0.03, abs=0.01)


@given(
    st.lists(st.tuples(st.floats(2, 50), st.floats(0, 50)), min_size=1, max_size=4),
    st.one_of(st.none(), st.floats(2, 100)),
    st.integers(300_000, 40 * MB),
    st.sampled_from(sorted(POLICIES["chunk_scheduler"])),
)
def test_a_download_from_unequal_holders_takes_a_time_within_the_range(
    holders: list[tuple[float, float]], client_rate: float | None, size: int, scheduler: str
) -> None:
    links = [Link(rate_mb_s=rate, delay_ms=delay) for rate, delay in holders]
    client = Link(rate_mb_s=client_rate)

    predicted = download_s(size, links, client, scheduler=scheduler, slack_s=0.1)
    seen = simulated_download_s(size, links, client, scheduler)

    assert seen in Prediction(predicted.low - 1e-6, 0.0, predicted.high), (seen, predicted)


@pytest.mark.parametrize("slow_mb_s", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [8 * MB, 32 * MB])
def test_a_slow_holder_holds_a_download_up_until_its_last_chunk_is_hedged(slow_mb_s: float, size: int) -> None:
    holders = [Link(rate_mb_s=slow_mb_s), TWENTY, TWENTY]

    hedged, patient = download_s(size, holders), download_s(size, holders, scheduler="no-hedging")

    assert simulated_download_s(size, holders, Link()) == pytest.approx(hedged.typical, rel=0.1)
    assert hedged.typical < 0.8 * patient.typical or slow_mb_s >= 4


@pytest.mark.parametrize("client", [Link(), Link(rate_mb_s=12)])
@pytest.mark.parametrize("slow_mb_s", [1, 4, 20])
def test_with_equal_parts_the_slowest_holder_or_the_client_decides(slow_mb_s: float, client: Link) -> None:
    size, holders = 48 * MB, [Link(rate_mb_s=slow_mb_s), TWENTY, TWENTY]

    predicted = download_s(size, holders, client, scheduler="uniform")

    at_the_client = 48 / (client.rate_mb_s or math.inf)
    assert predicted.typical == pytest.approx(max(16 / slow_mb_s, at_the_client), rel=0.05)
    assert 0.9 * predicted.typical < predicted.low
    assert predicted.high < 1.25 * predicted.typical
    assert simulated_download_s(size, holders, client, "uniform") == pytest.approx(predicted.typical, rel=0.05)


def test_rates_add_up_until_the_client_is_the_limit() -> None:
    big = 600 * MB

    alone = [download_rate_mb_s(big, [TWENTY] * count).typical for count in (1, 2, 3)]
    behind = [download_rate_mb_s(big, [TWENTY] * count, THIRTY).typical for count in (1, 2, 3)]

    assert alone == pytest.approx([20, 40, 60], rel=0.01)
    assert behind == pytest.approx([20, 30, 30], rel=0.01)


def test_a_delay_shorter_than_what_a_bucket_saves_up_costs_nothing_but_at_the_start() -> None:
    hidden, seen = replace(TEN, delay_ms=9), replace(TEN, delay_ms=50)

    near, far = (download_s(64 * MB, [link], slack_s=0.0).typical for link in (hidden, seen))

    assert near == pytest.approx(6.4, abs=0.05)
    chunks = len(split_into_chunks(64 * MB, BLOCK_SIZE, 1))
    assert far == pytest.approx(6.4 + chunks * (0.1 - BURST_S) + 0.1, abs=0.05)


def test_an_empty_file_takes_one_call_to_the_master() -> None:
    predicted = download_s(0, [TWENTY], Link(delay_ms=10), master=Link(delay_ms=5), slack_s=0.0)

    assert predicted == Prediction(0.03, 0.03, 0.03)
    assert download_rate_mb_s(0, [TWENTY]).typical == 0.0


def test_with_a_loss_the_mean_grows_and_there_is_no_bound() -> None:
    lossy = replace(TWENTY, loss=0.5)

    predicted, without = download_s(20 * MB, [lossy]), download_s(20 * MB, [TWENTY])

    assert predicted.typical == pytest.approx(1.5 * without.typical)
    assert (predicted.low, predicted.high) == (without.low, math.inf)
    assert download_s(20 * MB, [replace(TWENTY, loss=1)]).typical == math.inf
    assert download_rate_mb_s(20 * MB, [replace(TWENTY, loss=1)]).typical == 0.0


def test_one_holder_without_a_limit_makes_the_machine_the_limit() -> None:
    assert not download_s(MB, [TWENTY, Link()]).is_known
    assert not download_rate_mb_s(MB, [TWENTY, Link()]).is_known
    assert download_s(MB, [TWENTY, Link()], Link(rate_mb_s=30)).is_known
    assert download_rate_mb_s(500 * MB, [Link()], machine_mb_s=100).typical == pytest.approx(100, rel=0.01)


holder_lists = st.lists(
    st.builds(Link, rate_mb_s=st.floats(0.1, 1000), delay_ms=st.floats(10, 100), jitter_ms=st.floats(0, 10)),
    min_size=1,
    max_size=5,
)
clients = st.builds(Link, rate_mb_s=st.one_of(st.none(), st.floats(0.1, 1000)), delay_ms=st.floats(0, 100))
byte_counts = st.integers(0, 300 * MB)


@given(holder_lists, clients, byte_counts)
def test_the_bounds_of_a_download_are_ordered(holders: list[Link], client: Link, size: int) -> None:
    predicted = download_s(size, holders, client)

    assert 0 <= predicted.low <= predicted.typical <= predicted.high < math.inf


@given(holder_lists, clients, byte_counts, st.floats(1, 10))
def test_faster_links_never_make_a_download_longer(holders: list[Link], client: Link, size: int, factor: float) -> None:
    faster = [replace(link, rate_mb_s=(link.rate_mb_s or 0) * factor) for link in holders]

    before, after = download_s(size, holders, client), download_s(size, faster, client)

    assert after.low <= before.low * (1 + 1e-9)
    if len(set(map(repr, holders))) == 1:  # else a chunk may come to a slow holder that did not before (Graham)
        assert after.typical <= before.typical * (1 + 1e-9)


@given(st.builds(Link, rate_mb_s=st.floats(1, 100), delay_ms=st.floats(0, 50)), clients, byte_counts)
def test_one_more_equal_holder_never_slows_a_big_download(link: Link, client: Link, size: int) -> None:
    size += 96 * MB  # below, more holders mean smaller chunks, and with them more round trips
    times = [download_s(size, [link] * count, client).typical for count in range(1, 6)]

    assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(times))


# -- uploads ------------------------------------------------------------------------------------


def test_an_upload_with_one_acknowledgement_takes_the_slower_of_two_cards() -> None:
    assert upload_s(20 * MB, client=TEN, keepers=[TWENTY], slack_s=0.0).typical == pytest.approx(2.0 - BURST_S)
    assert upload_s(20 * MB, client=TWENTY, keepers=[TEN], slack_s=0.0).typical == pytest.approx(2.0 - BURST_S)


def test_copies_that_are_made_at_once_share_the_card_of_their_only_source() -> None:
    one, two, three = (upload_s(20 * MB, ack, keepers=[TWENTY] * 3, slack_s=0.0).typical for ack in (1, 2, 3))

    assert one == pytest.approx(1.0, abs=0.03)
    assert two == three == pytest.approx(3.0, abs=0.05)


def test_without_eager_repair_only_the_copies_that_are_waited_for_are_made() -> None:
    scan = Options(repair="scan")

    two, three = (upload_s(20 * MB, ack, keepers=[TWENTY] * 3, options=scan).typical for ack in (2, 3))

    assert [two, three] == pytest.approx([2.0, 3.0], abs=0.05)


def test_an_upload_waits_for_the_fastest_targets_that_make_up_its_number() -> None:
    """The source's 20 MB/s: 2 for the slow target, 18 for the fast one, which is enough for two copies."""
    slow = Link(rate_mb_s=2)

    one, two, three = (upload_s(18 * MB, ack, keepers=[TWENTY, slow, TWENTY]) for ack in (1, 2, 3))

    assert two.typical - one.typical == pytest.approx(1.0, abs=0.05)
    assert three.typical - one.typical == pytest.approx(9.0, abs=0.05)
    assert two.low - one.low == pytest.approx(18 / 20, abs=0.05)


@given(st.floats(0.1, 1e3), st.lists(st.floats(0.1, 1e3), min_size=1, max_size=6))
def test_fair_shares_use_all_there_is_and_favour_nobody(rate: float, limits: list[float]) -> None:
    shares = fair_shares(rate, limits)

    assert sum(shares) == pytest.approx(min(rate, sum(limits)))
    held_back = [share for share, limit in zip(shares, limits, strict=True) if share < limit * (1 - 1e-9)]
    assert all(share == pytest.approx(max(shares)) for share in held_back)


def test_an_upload_counts_its_messages() -> None:
    """With 10 ms on the client's link alone: 4 delays to the master, 2 for the handshake and 4 to the keeper."""
    far = Link(rate_mb_s=10, delay_ms=10)

    near, delayed = (upload_s(MB, client=link, keepers=[Link()], slack_s=0.0) for link in (TEN, far))

    assert delayed.typical - near.typical == pytest.approx(0.10)
    assert delayed.low - near.low == pytest.approx(0.08)  # the connection may have been kept


def test_connections_that_rest_from_before_save_the_handshakes() -> None:
    far = replace(TEN, delay_ms=50)

    new, kept = (download_s(MB, [far], connected=connected) for connected in (False, True))
    assert new.typical - kept.typical == pytest.approx(0.1)
    assert (new.low, new.high) == (kept.low, kept.high)

    new, kept = (upload_s(MB, 2, keepers=[far] * 3, connected=connected) for connected in (False, True))
    assert new.typical - kept.typical == pytest.approx(0.1 + 0.2)
    assert (new.low, new.high) == (kept.low, kept.high)


@given(clients, holder_lists, st.integers(1, 3), byte_counts, st.floats(1, 10), st.sampled_from(["eager", "scan"]))
def test_the_bounds_of_an_upload_are_ordered_and_faster_links_never_make_it_longer(
    client: Link, keepers: list[Link], ack: int, size: int, factor: float, mode: str
) -> None:
    options = Options(repair=mode)  # type: ignore[arg-type]  # one of the two
    ack = min(ack, len(keepers))
    faster = [replace(link, rate_mb_s=(link.rate_mb_s or 0) * factor) for link in keepers]

    before, after = (upload_s(size, ack, client=client, keepers=k, options=options) for k in (keepers, faster))

    assert 0 <= before.low <= before.typical <= before.high < math.inf
    assert after.typical <= before.typical
    assert after.high <= before.high


@given(holder_lists, byte_counts)
def test_waiting_for_more_copies_never_takes_less(keepers: list[Link], size: int) -> None:
    most = min(3, len(keepers))
    times = [upload_s(size, ack, keepers=keepers) for ack in range(1, most + 1)]

    for fewer, more in pairwise(times):
        assert fewer.low <= more.low
        assert fewer.typical <= more.typical * (1 + 1e-9)


# -- bad input ----------------------------------------------------------------------------------


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(InvalidOption, match="holders="):
        download_s(MB, [])
    with pytest.raises(InvalidOption, match="holders=Link"):
        download_s(MB, TWENTY)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidOption, match="options=5"):
        download_s(MB, [TWENTY], options=5)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidOption, match="options=5"):
        upload_s(MB, keepers=[TWENTY], options=5)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidOption, match="size_bytes"):
        download_s(-1, [TWENTY])
    with pytest.raises(InvalidOption, match=r"holders\[1\]"):
        download_s(MB, [TWENTY, 20])  # type: ignore[list-item]  # on purpose
    with pytest.raises(InvalidOption, match="client="):
        download_s(MB, [TWENTY], 30)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidOption, match="machine_mb_s"):
        download_rate_mb_s(MB, [TWENTY], machine_mb_s=-1)
    with pytest.raises(InvalidOption, match=r"scheduler='fair'.*uniform"):
        download_s(MB, [Link()], scheduler="fair")
    with pytest.raises(InvalidOption, match=r"scheduler=.*uniform"):
        download_s(MB, [TWENTY], scheduler=["uniform"])  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidOption, match="keepers="):
        upload_s(MB, keepers=[])
    with pytest.raises(InvalidOption, match=r"ack_replicas=2.*1 keepers"):
        upload_s(MB, 2, keepers=[TWENTY])
    with pytest.raises(InvalidOption, match="ack_replicas=0"):
        upload_s(MB, 0, keepers=[TWENTY])
    with pytest.raises(InvalidOption, match="ack_replicas=4"):
        upload_s(MB, 4, keepers=[TWENTY] * 6)
