"""How a picture comes out: what is where once it is drawn."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PolyCollection
from matplotlib.legend import Legend
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox


def draw(ax: Axes) -> None:
    """Render the figure, also one that was made without pyplot and so has nothing to be drawn on."""
    ax.figure.figure.savefig(io.BytesIO())


def boxes(texts: Iterable[Text]) -> list[Bbox]:
    """Return the boxes of texts that are drawn, in pixels, each a little smaller so that touching is no overlap."""
    return [text.get_window_extent().padded(-0.5) for text in texts if text.get_text() and text.get_visible()]


def overlaps(found: Iterable[Bbox]) -> int:
    """Return how many pairs overlap."""
    return sum(1 for one, other in itertools.combinations(found, 2) if one.overlaps(other))


def legend_of(ax: Axes) -> Legend:
    legend = ax.get_legend()
    assert legend is not None
    return legend


def legend_texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in legend_of(ax).get_texts()]


def legend_is_beside(ax: Axes) -> bool:
    """Return True when the legend covers no data, is whole, and is within the figure."""
    legend, figure = legend_of(ax).get_window_extent(), ax.figure.figure.bbox
    return not legend.overlaps(ax.bbox) and legend.x1 <= figure.x1 and legend.y0 >= figure.y0


def texts(ax: Axes) -> list[str]:
    """Return what is written on the Axes, without axis names and tick labels."""
    return [text.get_text() for text in ax.texts if text.get_text()]


def fault_labels(ax: Axes) -> list[Annotation]:
    return [text for text in ax.texts if isinstance(text, Annotation) and text.get_text()]


def fault_times(ax: Axes, edge: str) -> list[float]:
    """Return where faults are drawn to begin ("begins") or to end ("ends")."""
    lines = [one for one in ax.collections if isinstance(one, LineCollection) and _label(one).endswith(f" {edge}")]
    return sorted(float(segment[0][0]) for one in lines for segment in one.get_segments())


def fault_spans(ax: Axes) -> dict[str, list[tuple[float, float]]]:
    """Return from when to when each kind of fault is shaded."""
    bands = [one for one in ax.collections if isinstance(one, PolyCollection) and one.get_hatch()]
    return {
        _label(band).removeprefix("_"): [_span(np.asarray(path.vertices)) for path in band.get_paths()]
        for band in bands
    }


def _span(corners: np.ndarray) -> tuple[float, float]:
    return float(corners[:, 0].min()), float(corners[:, 0].max())


def _label(one: Collection) -> str:
    return str(one.get_label())
