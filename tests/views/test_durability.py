"""The durability game, without a page: what a decision costs and risks, and what is shown of it."""

from __future__ import annotations

import itertools
import re

import pytest

import dfslab
from dfslab.core.errors import InvalidOption
from dfslab.views.durability import Design, DurabilityGame, Tried
from dfslab.views.durability.decision import Decision
from dfslab.views.durability.design import COPIES, KEEPERS, MTBF_DAYS, REPAIR_MB_S, RUNS, YEAR_S

BEST = Design(copies=3, keepers=9, mtbf_days=110, repair_mb_s=30)


@pytest.fixture
def game() -> DurabilityGame:
    return dfslab.durability_game()


def picture_of(game: DurabilityGame) -> str:
    return str(game.children[-1].value)


def slider(game: DurabilityGame, name: str) -> Decision:
    return next(child for child in game.children if isinstance(child, Decision) and child.name == name)


def test_the_first_design_loses_files_and_the_game_can_be_won(game: DurabilityGame) -> None:
    assert game.design.chance > 0.5
    assert game.design.cost < game.budget

    told = game.choose(copies=BEST.copies, keepers=BEST.keepers, mtbf_days=BEST.mtbf_days, repair_mb_s=BEST.repair_mb_s)

    assert told.startswith("You have it!")
    assert [one.design for one in game.tried] == [Design(), BEST]


def test_the_sliders_lead_to_the_least_cost_by_more_than_one_way_of_keeping_files() -> None:
    """Three good copies and four cheap ones are about as dear; with one or two the target is out of reach."""
    rates = range(REPAIR_MB_S[0], REPAIR_MB_S[1] + 1, 5)
    cheapest: dict[int, int] = {}
    for copies, keepers, days, rate in itertools.product(
        range(COPIES[0], COPIES[1] + 1), range(KEEPERS[0], 21), range(MTBF_DAYS[0], MTBF_DAYS[1] + 1, 10), rates
    ):
        design = Design(copies, keepers, days, rate)
        cheaper = design.fits and design.cost < cheapest.get(copies, 600)
        if cheaper and YEAR_S / design.fleet.chain.mean_time_to_loss_s <= 0.01:
            cheapest[copies] = design.cost

    assert set(cheapest) == {3, 4}
    assert abs(cheapest[3] - cheapest[4]) < 50
    assert cheapest[3] == BEST.cost


def test_moving_a_slider_changes_the_picture_and_the_words(game: DurabilityGame) -> None:
    before = picture_of(game)

    slider(game, "copies").value = 3

    assert game.design == Design(copies=3)
    assert picture_of(game) != before
    assert re.search(r"alt='Design 2: 3 copies, 12 keepers", picture_of(game))
    assert "not safe enough" in game.children[-2].value


def test_a_design_that_does_not_fit_is_told_what_it_lacks(game: DurabilityGame) -> None:
    told = game.choose(copies=5, keepers=6)

    assert told == "The disks are too small: 5 copies of 24 TB take 15 keepers at least."
    assert "The disks are too small" in picture_of(game)


def test_simulated_years_agree_with_the_chain_and_are_the_same_for_the_same_seed() -> None:
    for copies in (2, 3):
        tried = Tried.of(Design(copies=copies), seed=8)
        low, share, high = tried.share_by(YEAR_S)
        assert low <= tried.design.chance <= high
        assert share == tried.hits / len(tried.losses)
        assert tried == Tried.of(Design(copies=copies), seed=8)
        assert tried != Tried.of(Design(copies=copies), seed=9)


def test_a_slider_never_asks_for_more_years_than_can_be_lived_at_once() -> None:
    assert RUNS[0] <= Design(2, KEEPERS[1], MTBF_DAYS[0], 5).runs < Design(3, 6, 200, 5).runs == RUNS[1]


def test_a_saved_notebook_has_words_beside_the_widget_and_a_picture_when_asked(game: DurabilityGame) -> None:
    bundle = game._repr_mimebundle_()

    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert "2 copies, 12 keepers" in bundle["text/html"]
    assert [ax.get_title(loc="left") for ax in game.plot().figure.axes] == [
        "One year of this fleet",
        "Your designs so far",
    ]


def test_an_error_of_its_own_is_shown_and_not_swallowed(game: DurabilityGame, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: DurabilityGame) -> str:
        raise RuntimeError("no <ink> left")

    monkeypatch.setattr(DurabilityGame, "_image", fails)

    slider(game, "keepers").value = 20

    assert "no &lt;ink&gt; left" in game.children[-2].value


def test_bad_input_is_refused_by_name_and_changes_nothing(game: DurabilityGame) -> None:
    with pytest.raises(InvalidOption, match="copies"):
        game.choose(keepers=20, copies=9)
    with pytest.raises(InvalidOption, match="disks"):
        game.choose(disks=3)
    with pytest.raises(InvalidOption, match="budget"):
        dfslab.durability_game(budget=0)

    assert game.design == Design()
