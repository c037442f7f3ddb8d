"""Where views look: news without reading everything again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dfslab.core.trace import Kind, Trace
from dfslab.views.source import Source

from .story import Story


def numbered(trace: Trace, events: range, story: Story) -> None:
    for number in events:
        story.note("master", Kind.SCAN, short=number)
        trace.append(story.events[-1])


@pytest.mark.parametrize("cheap", [True, False])
def test_news_are_what_came_since_the_last_look(cheap: bool) -> None:
    trace, story = Trace(), Story()
    source = Source(trace.events, trace.table, lambda: 0.0)
    if cheap:
        source = replace(source, since=trace.since)
    numbered(trace, range(3), story)

    seen, first = source.news(0)
    numbered(trace, range(3, 5), story)
    then, second = source.news(seen)

    assert [event.detail["short"] for event in first] == [0, 1, 2]
    assert [event.detail["short"] for event in second] == [3, 4]
    assert (then, source.news(then)) == (5, (5, []))


def test_what_fell_out_meanwhile_is_not_among_the_news() -> None:
    trace, story = Trace(capacity=3), Story()
    numbered(trace, range(2), story)
    seen, _ = trace.since(0)
    numbered(trace, range(2, 9), story)

    total, new = trace.since(seen)

    assert total == 9
    assert [event.detail["short"] for event in new] == [6, 7, 8]


def test_a_past_moment_has_only_its_own_news() -> None:
    story = Story(["keeper-1"])
    story.at(5.0).dies("keeper-1")
    trace = story.trace()
    source = Source(trace.events, trace.table, lambda: 5.0, since=trace.since)

    _, events = source.at(1.0).news(0)

    assert [event.kind for event in events] == [Kind.KEEPER_REGISTERED]
