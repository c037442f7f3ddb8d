"""Pictures look the same whatever the notebook has set, and change nothing that is not theirs."""

from __future__ import annotations

import io
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex

from dfslab.core.pretty import shortened
from dfslab.views.plots import Plots
from dfslab.views.style import label_of

from .looks import draw, legend_texts
from .story import Story

NEEDS_A_NAME = {"sequence": {"name": "a.mp4"}}
PICTURES = [name for name in vars(Plots) if not name.startswith("_")]


@pytest.fixture
def plots() -> Plots:
    story = Story(["keeper-1", "keeper-2"])
    story.at(1.0).commit("a.mp4", "v1", "keeper-1", "keeper-2")
    story.downloaded("a.mp4", 2, 10)
    story.at(2.0).fault("kill", "keeper-2")
    story.at(3.0)
    return story.plots(replicas=2)


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_made_in_a_dark_notebook_is_still_dark_ink_on_white_paper(plots: Plots, picture: str) -> None:
    with pyplot.style.context(["dark_background", {"savefig.facecolor": "black"}]):
        ax = getattr(plots, picture)(**NEEDS_A_NAME.get(picture, {}))
        image = io.BytesIO()
        ax.figure.savefig(image, format="rgba")
    width, height = ax.figure.canvas.get_width_height()
    pixels = np.frombuffer(image.getvalue(), np.uint8).reshape(height, width, 4)
    assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1], :3] == 255).all()
    inks = [ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
    assert all(sum(mpl.colors.to_rgb(text.get_color())) < 1.6 for text in inks)


@pytest.mark.parametrize("picture", PICTURES)
def test_axes_of_a_dark_figure_get_white_paper_and_keep_light_names(plots: Plots, picture: str) -> None:
    with pyplot.style.context("dark_background"):
        _, ax = pyplot.subplots(layout="constrained")
        getattr(plots, picture)(ax=ax, **NEEDS_A_NAME.get(picture, {}))
        draw(ax)
    assert to_hex(ax.get_facecolor()) == "#ffffff"
    assert to_hex(ax.xaxis.label.get_color()) == "#ffffff"


@pytest.mark.parametrize("picture", PICTURES)
def test_the_notebooks_own_settings_are_left_alone(plots: Plots, picture: str) -> None:
    before = dict(mpl.rcParams)
    getattr(plots, picture)(**NEEDS_A_NAME.get(picture, {}))
    assert dict(mpl.rcParams) == before


def test_importing_the_views_selects_no_backend() -> None:
    code = "import sys, dfslab.views.plots, dfslab.views.tables; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_the_html_needs_neither_pandas_nor_matplotlib() -> None:
    code = "import sys, dfslab.views.html; sys.exit('pandas' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_names_that_matplotlib_would_read_otherwise_are_shown_as_they_are() -> None:
    story = Story(["keeper-1"])
    for number, name in enumerate(["_hidden", "$x^2$", "no $_{formula$", "日本語.mp4", "x" * 200]):
        story.commit(name, f"v{number}", "keeper-1")
    for picture in (story.at(1.0).plots().replication_timeline, story.plots().lookup_table):
        ax = picture()
        draw(ax)
    assert legend_texts(story.plots().replication_timeline())[1:] == [
        " _hidden",
        r"\$x^2\$",
        r"no \$_{formula\$",
        "□□□.mp4",
        label_of("x" * 200),
    ]


@pytest.mark.parametrize("name", ["short", "x" * 26, "lectures/distributed-systems/week-07/part-1.mp4"])
def test_long_names_lose_their_middle(name: str) -> None:
    short = shortened(name)
    assert len(short) == min(len(name), 26)
    assert name.startswith(short.split("…")[0])
    assert name.endswith(short.split("…")[-1])
