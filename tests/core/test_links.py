"""Links: what may pass when, as arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.errors import InvalidOption
from dfslab.core.links import BURST_S, Bucket, Link, LinkTable, Path, link_words

MB = 1_000_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rate_mb_s", 0),
        ("rate_mb_s", -1.0),
        ("rate_mb_s", math.inf),
        ("rate_mb_s", "20"),
        ("rate_mb_s", True),
        ("delay_ms", -0.1),
        ("delay_ms", math.nan),
        ("delay_ms", None),
        ("jitter_ms", -1),
        ("jitter_ms", 5),
        ("loss", -0.01),
        ("loss", 1.01),
        ("loss", None),
    ],
)
def test_a_link_that_cannot_be_is_refused_by_the_name_of_its_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidOption) as refused:
        Link(**{field: value})

    assert refused.value.fields["option"] == field
    assert "nothing was changed" in str(refused.value)


def test_a_change_keeps_what_is_not_named() -> None:
    link = Link(rate_mb_s=20, delay_ms=5)

    assert link.changed({"rate_mb_s": None, "loss": 0.5}) == Link(delay_ms=5, loss=0.5)
    with pytest.raises(InvalidOption, match="bandwidth"):
        link.changed({"bandwidth": 3})


@given(
    rate=st.floats(0.01, 500),
    grants=st.lists(st.tuples(st.integers(1, 300_000), st.floats(0, 0.1)), min_size=1, max_size=60),
)
def test_a_bucket_never_lets_more_pass_than_its_rate_and_its_burst(
    rate: float, grants: list[tuple[int, float]]
) -> None:
    """Whoever asks, and whenever: what has passed by a moment is at most rate x time + the burst."""
    bucket, now, passed, last = Bucket(), 0.0, 0, -BURST_S
    for count, pause_s in grants:
        now += pause_s
        done = bucket.reserve(count, rate, now)
        passed += count
        assert done >= last
        assert passed <= rate * MB * (done + BURST_S) * (1 + 1e-9) + 1e-3
        last = done


@given(rate=st.floats(0.1, 500), counts=st.lists(st.integers(1, 300_000), min_size=1, max_size=60))
def test_a_bucket_that_is_always_wanted_loses_no_time(rate: float, counts: list[int]) -> None:
    """Each asks when the one before has passed, a little late: the burst catches the lateness up."""
    bucket, now = Bucket(), 0.0
    for count in counts:
        done = bucket.reserve(count, rate, now)
        now = done + BURST_S / 2

    assert done <= sum(counts) / (rate * MB)


def test_an_idle_bucket_saves_up_no_more_than_its_burst() -> None:
    bucket = Bucket()
    bucket.reserve(MB, 1.0, 0.0)

    assert bucket.reserve(MB, 1.0, 100.0) == pytest.approx(101.0 - BURST_S)


def test_a_path_has_the_delay_of_both_ends_and_the_loss_of_either() -> None:
    table = LinkTable()
    table.set_link("client", Link(delay_ms=10, jitter_ms=2, loss=0.5))
    table.set_link("keeper-1", Link(delay_ms=5, loss=0.5, rate_mb_s=3))

    assert table.path("client", "keeper-1") == Path(0.015, 0.002, 0.75)
    assert table.path("keeper-2", "client") == Path(0.010, 0.002, 0.5)


def test_a_pair_has_its_own_delay_both_ways_until_it_is_taken_away() -> None:
    table = LinkTable()
    table.set_link("client", Link(delay_ms=10))
    table.set_pair("client", "keeper-2", Link(delay_ms=50))

    assert table.path("keeper-2", "client") == table.path("client", "keeper-2") == Path(0.050)
    assert table.path("client", "keeper-1") == Path(0.010)
    assert table.pair("keeper-2", "client") == Link(delay_ms=50)
    table.set_pair("keeper-2", "client", None)
    assert table.path("client", "keeper-2") == Path(0.010)


def test_a_pair_has_no_rate_of_its_own() -> None:
    table = LinkTable()

    with pytest.raises(InvalidOption, match="rate_mb_s") as refused:
        table.set_pair("client", "keeper-2", Link(rate_mb_s=5))

    assert refused.value.fields["option"] == "rate_mb_s"
    assert table.is_plain


def test_a_cut_goes_both_ways_unless_it_is_said_to_go_one_way() -> None:
    table = LinkTable()
    table.cut(["a", "b"], ["c"])
    table.cut(["a"], ["d"], one_way=True)

    passes = {(x, y): not table.is_cut(x, y) for x in "abcd" for y in "abcd" if x != y}
    assert [pair for pair, free in passes.items() if not free] == [
        ("a", "c"),
        ("a", "d"),
        ("b", "c"),
        ("c", "a"),
        ("c", "b"),
    ]
    table.heal()
    assert table.is_plain


def test_a_network_is_plain_again_when_all_is_undone() -> None:
    table = LinkTable()
    steps: list[tuple[Callable[[], None], Callable[[], None]]] = [
        (lambda: table.set_link("a", Link(rate_mb_s=1)), lambda: table.set_link("a", Link())),
        (lambda: table.set_pair("a", "b", Link(delay_ms=1)), lambda: table.set_pair("b", "a", None)),
        (lambda: table.cut("a", "b"), table.heal),
        (lambda: table.mute("a"), lambda: table.mute("a", muted=False)),
    ]
    for change, undo in steps:
        change()
        assert not table.is_plain
        undo()
        assert table.is_plain


def test_a_link_is_told_in_words_and_what_it_does_not_limit_is_left_out() -> None:
    link = Link(rate_mb_s=20, delay_ms=5, jitter_ms=2, loss=0.01)

    assert link_words(link.as_dict()) == "20 MB/s, 5±2 ms, 1 % lost"
    assert link_words({"delay_ms": 10, "rate_mb_s": None}) == "10 ms"
    assert link_words(Link().as_dict()) == "no limit"
