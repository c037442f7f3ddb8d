"""What processes tell is taken in whole, in an order that makes sense, whatever state their pipes are in."""

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from dfslab.core.saved import line_of
from dfslab.core.trace import Kind, TraceEvent
from dfslab.lab.processes.feed import Ear, Feed
from dfslab.runtime.clock import Clock
from dfslab.runtime.recorder import Recorder

ANSWER = b'{"answer":1,"value":null}\n'


class Told:
    """A process that this test plays: it tells and says what it is made to."""

    def __init__(self, node: str, answered: Callable[[bytes], None] = lambda line: None) -> None:
        told, self.tell = os.pipe()
        stderr, self.say = os.pipe()
        for fd in (told, stderr):
            os.set_blocking(fd, False)
        self.ended = threading.Event()
        self.ear = Ear(node, "1", told, stderr, Clock(time.monotonic() - 10.0), answered, self.ended.set)

    def dies(self, *, last_words: bytes = b"") -> None:
        os.write(self.say, last_words)
        os.close(self.tell)
        os.close(self.say)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def feed(recorder: Recorder) -> Iterator[Feed]:
    feed = Feed(recorder, "test")
    yield feed
    feed.close()


def line(event_id: str, time_s: float) -> bytes:
    return (line_of(TraceEvent(event_id, time_s, event_id.partition(".")[0], Kind.DEGRADED)) + "\n").encode()


def test_an_effect_that_was_read_before_its_cause_waits_for_it(feed: Feed, recorder: Recorder) -> None:
    """The keeper is read first, and tells the cause only after that; the master tells the effect in the meantime."""
    answers: list[bytes] = []

    def answered(_: bytes) -> None:
        answers.append(_)
        if len(answers) == 1:  # the first look at both pipes: behind it, more comes
            os.write(master.tell, ANSWER + line("master.1:2", 4.0))
        else:  # the second look: the keeper's pipe was just found empty
            os.write(keeper.tell, line("keeper.1:1", 3.0))

    keeper, master = Told("keeper"), Told("master", answered)
    os.write(master.tell, ANSWER + line("master.1:1", 1.0))
    feed.add(keeper.ear)
    feed.add(master.ear)

    while len(found := [event.id for event in recorder.events()]) < 3:
        pass

    assert found == ["master.1:1", "keeper.1:1", "master.1:2"]
    for one in (keeper, master):
        one.dies()
        feed.remove(one.ear)


def test_a_line_that_was_cut_short_by_a_kill_is_none_and_what_was_said_last_is_an_error(
    feed: Feed, recorder: Recorder
) -> None:
    told = Told("keeper-1")
    feed.add(told.ear)
    os.write(told.tell, line("keeper-1.1:1", 1.0) + line("keeper-1.1:2", 2.0)[:-5])

    told.dies(last_words=b"Fatal Python error: \xff")
    feed.remove(told.ear)

    assert told.ended.is_set()
    assert told.ear.last_words == "Fatal Python error: \\xff"
    assert [(e.node, e.kind, e.detail.get("reason")) for e in recorder.events()] == [
        ("keeper-1", Kind.DEGRADED, None),
        ("keeper-1", Kind.NODE_ERROR, "Fatal Python error: \\xff"),
    ]


def test_nonsense_is_an_error_of_the_node_and_the_next_line_is_read(feed: Feed, recorder: Recorder) -> None:
    told = Told("keeper-1")
    feed.add(told.ear)
    os.write(told.tell, b"no JSON\n" + b'{"id":"x"}\n' + line("keeper-1.1:1", 1.0))

    events = recorder.events()

    assert sorted(str(event.kind) for event in events) == ["degraded", "node_error", "node_error"]
    assert all("it told nonsense" in event.detail["reason"] for event in events if event.kind is Kind.NODE_ERROR)
    told.dies()
    feed.remove(told.ear)


def test_nobody_waits_for_a_feed_that_is_closed_or_was_left_in_a_parent(recorder: Recorder) -> None:
    feed = Feed(recorder, "test")
    feed.close()
    feed.close()
    feed.catch_up()

    forked = Feed(recorder, "fork")
    forked._is_open = False  # its thread stayed in the parent
    forked._look_again()
    forked._thread.join()
    forked.abandon()
    assert recorder.events() == []
