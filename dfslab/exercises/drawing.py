"""Pictures of a failed check: matplotlib figures as SVG, to stand in a verdict."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"  # Okabe & Ito: all can tell them apart
WIDTH_IN = 6.4


def axes(height_in: float) -> Axes:
    """Return the axes of a new figure of a verdict's width; matplotlib is loaded for the first one."""
    from matplotlib.figure import Figure  # only a failed check is drawn

    return Figure(figsize=(WIDTH_IN, height_in), layout="constrained").subplots()


def svg(ax: Axes) -> str:
    """Return the axes' figure as an <svg> element."""
    out = io.StringIO()
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()[out.getvalue().index("<svg") :]
