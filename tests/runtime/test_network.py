"""The emulated network's waits: who waits for what, and what ends a wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from dfslab.core.links import Link
from dfslab.runtime.gate import Gate, NodeDown
from dfslab.runtime.network import MAX_QUANTUM_BYTES, MIN_QUANTUM_BYTES, Network

DEADLINE_S = 10.0


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network(seed=1)
    yield made
    made.close()


class InThread:
    """Something that waits, on a thread of its own."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self._act = act
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def join(self) -> BaseException | None:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        return self.error


def seconds(act: Callable[[], object]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started


def test_a_plain_network_lets_everything_pass_at_once_and_whole(network: Network) -> None:
    nic = network.nic("client")

    assert nic.is_plain
    assert nic.quantum("keeper-1", 123_456_789) == 123_456_789
    assert nic.break_after("keeper-1", 10) is None
    assert seconds(lambda: nic.pass_bytes("keeper-1", 10**12, 1.0, outbound=True)) < 1.0


def test_all_connections_of_a_node_share_its_rate_and_each_direction_has_its_own(network: Network) -> None:
    network.set_link("keeper-1", Link(rate_mb_s=1.0))
    nics = [network.nic("keeper-1") for _ in range(4)]

    def move(outbound: bool) -> None:
        workers = [
            InThread(lambda nic=nic: nic.pass_bytes("client", 50_000, 1.0, outbound=outbound))  # type: ignore[misc]
            for nic in nics
        ]
        assert [worker.join() for worker in workers] == [None] * 4

    out = InThread(lambda: move(outbound=True))
    took = seconds(lambda: move(outbound=False))
    assert out.join() is None
    assert took >= 4 * 50_000 / 1e6 - 0.021  # a burst less


@pytest.mark.parametrize("slow", ["client", "keeper-1"])
def test_what_passes_at_a_time_fits_the_rate_of_the_slower_end(network: Network, slow: str) -> None:
    nic = network.nic("keeper-1")
    network.set_link("client", Link(rate_mb_s=20_000.0))
    quanta = []
    for rate in (0.01, 20.0, 10_000.0):
        network.set_link(slow, Link(rate_mb_s=rate))
        quanta.append(nic.quantum("client", 1 << 20))

    assert quanta == [MIN_QUANTUM_BYTES, 100_000, MAX_QUANTUM_BYTES]
    assert nic.quantum("client", 1000) == 1000


def test_a_slow_link_holds_little_in_the_kernel_and_a_plain_one_what_the_kernel_likes(network: Network) -> None:
    nic = network.nic("client")
    assert nic.buffer_bytes("keeper-1") == 0

    network.set_link("keeper-1", Link(rate_mb_s=1.0))

    assert nic.buffer_bytes("keeper-1") == 50_000
    assert nic.buffer_bytes("keeper-2") == 0


def test_a_message_takes_the_delay_of_both_ends_and_a_handshake_takes_it_there_and_back(network: Network) -> None:
    network.set_link("client", Link(delay_ms=20))
    network.set_link("keeper-1", Link(delay_ms=10))
    nic = network.nic("client")

    assert seconds(lambda: nic.message("keeper-1", 1.0)) >= 0.030
    assert seconds(lambda: nic.connect("keeper-1", 1.0)) >= 0.060
    assert seconds(lambda: nic.request("master", time.monotonic() + 1)) >= 0.020


def test_jitter_spreads_the_delay_around_its_middle_the_same_for_the_same_seed() -> None:
    drawn = []
    for _ in range(2):
        network = Network(seed=5)
        network.set_link("a", Link(delay_ms=10, jitter_ms=5))
        drawn.append([network.delay_s("a", "b") for _ in range(200)])

    assert drawn[0] == drawn[1]
    assert 0.005 <= min(drawn[0]) < 0.007
    assert 0.013 < max(drawn[0]) <= 0.015


def test_a_lossy_path_breaks_so_many_requests_off_in_their_middle() -> None:
    network = Network(seed=3)
    network.set_link("keeper-1", Link(loss=0.25))
    nic = network.nic("client")

    breaks = [nic.break_after("keeper-1", 1000) for _ in range(2000)]

    places = [place for place in breaks if place is not None]
    assert 400 < len(places) < 600
    assert all(0 <= place < 1000 for place in places)
    assert nic.break_after("keeper-2", 1000) is None


def test_a_stall_behind_a_partition_ends_when_it_heals(network: Network) -> None:
    nic = network.nic("client")
    network.partition(["client"], ["keeper-1"])
    waiting = InThread(lambda: nic.pass_bytes("keeper-1", 1, DEADLINE_S, outbound=True))

    network.heal()

    assert waiting.join() is None


@pytest.mark.parametrize("one_way", [("client", "keeper-1"), ("keeper-1", "client")])
def test_a_data_connection_stalls_whichever_direction_is_cut(network: Network, one_way: tuple[str, str]) -> None:
    """TCP needs both: one carries the acknowledgements of the other."""
    network.partition([one_way[0]], [one_way[1]], one_way=True)

    with pytest.raises(TimeoutError):
        network.nic("client").message("keeper-1", 0.05)


def test_a_call_gets_through_the_direction_that_is_open(network: Network) -> None:
    network.partition(["master"], ["keeper-1"], one_way=True)
    nic = network.nic("keeper-1")

    nic.request("master", time.monotonic() + DEADLINE_S)
    with pytest.raises(TimeoutError):
        nic.reply("master", time.monotonic() + 0.05)


def test_a_delay_beyond_the_timeout_is_no_answer_in_time(network: Network) -> None:
    network.set_link("master", Link(delay_ms=5_000))

    def ask() -> None:
        with pytest.raises(TimeoutError):
            network.nic("client").request("master", time.monotonic() + 0.05)

    assert seconds(ask) < 4.0


def test_a_handshake_and_a_message_that_take_longer_than_the_timeout_end_with_it(network: Network) -> None:
    network.set_link("keeper-1", Link(delay_ms=10_000))
    nic = network.nic("client")

    def ask() -> None:
        for act in (nic.connect, nic.message):
            with pytest.raises(TimeoutError):
                act("keeper-1", 0.05)

    assert seconds(ask) < 4.0


def test_bytes_that_a_link_lets_pass_too_late_end_with_the_timeout(network: Network) -> None:
    network.set_link("client", Link(rate_mb_s=1e-6))

    def receive() -> None:
        with pytest.raises(TimeoutError):
            network.nic("client").pass_bytes("keeper-1", 4096, 0.05, outbound=False)

    assert seconds(receive) < 4.0


@pytest.mark.parametrize("rate", [None, 1000.0])
def test_what_waits_for_a_slow_rate_goes_on_when_the_link_is_made_faster(network: Network, rate: float | None) -> None:
    """And what was reserved at the slow rate holds nobody up at the new one."""
    network.set_link("client", Link(rate_mb_s=0.001))
    nic = network.nic("client")
    waiting = [InThread(lambda: nic.pass_bytes("keeper-1", 100_000, 600.0, outbound=False)) for _ in range(3)]

    network.set_link("client", Link(rate_mb_s=rate))

    assert [one.join() for one in waiting] == [None] * 3
    assert seconds(lambda: nic.pass_bytes("keeper-1", 100_000, 600.0, outbound=False)) < 4.0


@pytest.mark.parametrize("rate", [0.001, 1e-9])
def test_on_the_slowest_links_little_passes_at_a_time_so_that_it_does_not_look_like_a_stall(
    network: Network, rate: float
) -> None:
    network.set_link("client", Link(rate_mb_s=rate))

    assert network.nic("client").quantum("keeper-1", 1 << 20) == max(1, rate * 1e6 * 0.5)


def test_a_letter_that_takes_longer_than_its_timeout_is_lost_with_it(network: Network) -> None:
    network.set_link("keeper-1", Link(delay_ms=10_000))
    lost, delivered = threading.Event(), threading.Event()

    network.nic("master").post("keeper-1", 0.05, lambda left_s: delivered.set(), lost.set)

    assert lost.wait(4.0)
    assert not delivered.is_set()


def test_a_killed_node_waits_no_longer(network: Network) -> None:
    gate = Gate()
    nic = network.nic("keeper-1", gate)
    network.partition(["keeper-1"], ["keeper-2"])
    waiting = InThread(lambda: nic.message("keeper-2", 600.0))

    gate.cut()

    assert isinstance(waiting.join(), NodeDown)


def test_a_transfer_that_is_given_up_waits_no_longer(network: Network) -> None:
    nic, over = network.nic("client"), threading.Event()
    network.set_link("client", Link(rate_mb_s=0.001))
    waiting = InThread(
        lambda: nic.pass_bytes("keeper-1", 10**9, 600.0, outbound=False, given_up=over.is_set),
    )

    over.set()
    network.wake()

    assert isinstance(waiting.join(), ConnectionError)


def test_closing_the_network_ends_every_wait(network: Network) -> None:
    network.partition(["client"], ["keeper-1"])
    waiting = InThread(lambda: network.nic("client").message("keeper-1", 600.0))

    network.close()

    assert isinstance(waiting.join(), TimeoutError)


def test_letters_arrive_after_their_delay_in_the_order_of_their_arrival(network: Network) -> None:
    network.set_link("keeper-1", Link(delay_ms=60))
    network.set_link("keeper-2", Link(delay_ms=5))
    nic, arrived, both = network.nic("master"), list[str](), threading.Semaphore(0)

    def deliver(letter: str) -> Callable[[float], None]:
        def note(left_s: float) -> None:
            arrived.append(letter)
            both.release()

        return note

    nic.post("keeper-1", 5.0, deliver("slow"), lambda: arrived.append("lost"))
    nic.post("keeper-2", 5.0, deliver("fast"), lambda: arrived.append("lost"))

    assert both.acquire(timeout=DEADLINE_S)
    assert both.acquire(timeout=DEADLINE_S)
    assert arrived == ["fast", "slow"]


def test_a_letter_into_a_partition_is_lost_after_its_timeout(network: Network) -> None:
    network.partition(["master"], ["keeper-1"])
    lost, delivered = threading.Event(), threading.Event()

    network.nic("master").post("keeper-1", 0.05, lambda left_s: delivered.set(), lost.set)

    assert lost.wait(DEADLINE_S)
    assert not delivered.is_set()


def test_a_frozen_nodes_letters_leave_when_it_goes_on_and_a_killed_ones_never(network: Network) -> None:
    network.set_link("keeper-1", Link(delay_ms=1))
    frozen, killed, marker = Gate(), Gate(), threading.Event()
    arrived, thawed = list[str](), threading.Event()
    frozen.freeze()
    killed.cut()

    def deliver_thawed(left_s: float) -> None:
        arrived.append("thawed")
        thawed.set()

    network.nic("master", frozen).post("keeper-1", 5.0, deliver_thawed, marker.set)
    network.nic("other", killed).post("keeper-1", 5.0, lambda left_s: arrived.append("killed"), marker.set)
    network.nic("third").post("keeper-1", 5.0, lambda left_s: marker.set(), marker.set)

    assert marker.wait(DEADLINE_S)
    assert arrived == []
    frozen.thaw()
    assert thawed.wait(DEADLINE_S)
    assert arrived == ["thawed"]
