"""The durability game in a real browser: a student moves a slider, and sees another year and another design."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .conftest import ARTIFACTS, Opener


@pytest.mark.parametrize("ui", ["notebook", "lab"])
def test_a_student_moves_sliders_by_key_and_by_hand_until_the_target_is_reached(ui: str, open_notebook: Opener) -> None:
    visited = open_notebook(ui, ["import dfslab\ngame = dfslab.durability_game()\ngame"])
    page = visited.page
    game = page.locator(".dfs-durability")
    picture, verdict = game.get_by_role("img"), game.get_by_role("status")
    expect(picture).to_have_attribute("alt", re.compile("^Design 1: 2 copies, 12 keepers"))
    expect(verdict).to_contain_text("not safe enough")
    before = picture.get_attribute("src")

    copies = game.get_by_role("slider", name="copies of each file")
    copies.focus()
    page.keyboard.press("ArrowRight")
    expect(picture).to_have_attribute("alt", re.compile("^Design 2: 3 copies, 12 keepers"))
    assert picture.get_attribute("src") != before
    assert picture.evaluate("image => image.naturalWidth") > 500

    rate = game.get_by_role("slider", name="repair rate (MB/s)")
    box = rate.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    expect(picture).to_have_attribute("alt", re.compile("^Design 3: 3 copies, .* repair (59|60) MB/s"))

    game.get_by_role("slider", name="MTBF of a keeper (days)").focus()
    page.keyboard.press("End")
    expect(verdict).to_contain_text("Safe enough, and too dear.")
    expect(picture).to_have_attribute("alt", re.compile("^Design 4: 3 copies, 12 keepers, MTBF 200 days"))
    expect(game.locator(".dfs-decided").nth(2)).to_have_text("200")

    ARTIFACTS.mkdir(exist_ok=True)
    game.screenshot(path=ARTIFACTS / f"durability-{ui}.png")
    visited.check()
