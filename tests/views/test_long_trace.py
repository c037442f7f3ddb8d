"""Every picture of a trace of 100,000 events is drawn in time, now and at a past moment."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.long_trace import long_source
from benchmarks.pictures import LIMIT_S, PICTURES, seconds
from dfslab.views.plots import Plots
from dfslab.views.source import Source

PATIENCE = 3 * LIMIT_S
"""Other processes may be busy meanwhile; `python -m benchmarks.pictures` has the figures."""


@pytest.fixture(scope="module")
def source() -> Source:
    return long_source()


def test_the_trace_is_as_long_as_it_says(source: Source) -> None:
    events = source.events()
    assert 95_000 < len(events) < 105_000
    assert all(one.time_s <= other.time_s for one, other in itertools.pairwise(events))


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_of_a_long_trace_is_drawn_in_time(source: Source, picture: str) -> None:
    assert seconds(Plots(source), picture) < PATIENCE


@pytest.mark.parametrize("picture", PICTURES)
def test_so_is_one_of_a_past_moment(source: Source, picture: str) -> None:
    assert seconds(Plots(source.at(source.now() / 2)), picture) < PATIENCE
