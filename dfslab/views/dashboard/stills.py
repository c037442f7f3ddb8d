"""Drawings as images: a page that does not trust its notebook takes SVG for text, but shows an image of it."""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterable
from html import escape

from dfslab.views.dashboard.chart import HEIGHT, LEFT, WIDTH, Chart
from dfslab.views.dashboard.topology import asset

SWATCH, GAP, ROW = 26, 14, 17
"""Width of a legend's sample line, between two entries, and height of a row."""
LETTER = 6.4
"""About how wide a letter of a legend is."""
SECTIONS = ("charts", "topology", "the time slider")
"""Of look.css, in their order."""


def chart_image(chart: Chart) -> str:
    """Return a chart with its legend as one image."""
    rows = list(_rows(chart.entries))
    legend = "".join(
        f"<path class='line {kind}' d='M{x:.0f} {HEIGHT + ROW * row + 6}h{SWATCH}'/>"
        f"<text x='{x + SWATCH + 5:.0f}' y='{HEIGHT + ROW * row + 10}'>{escape(name)}</text>"
        for row, x, kind, name in rows
    )
    height = HEIGHT + ROW * (1 + max((row for row, *_ in rows), default=-1))
    drawing = sized(chart.picture, WIDTH, HEIGHT) + f"<g class='dfs-chart'>{legend}</g>"
    return image(drawing, WIDTH, height, "charts", chart.said)


def image(drawing: str, width: int, height: int, section: str, said: str) -> str:
    """Return SVG as an image that needs nothing else.

    Parameters
    ----------
    drawing : str
        One or several SVG elements.
    width, height : int
        The image's own, in pixels; it shrinks with a narrow page.
    section : str
        The part of look.css that the drawing needs.
    said : str
        What is to be seen, for who can't see it.
    """
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' class='dfs-static' width='{width}' height='{height}' "
        f"viewBox='0 0 {width} {height}'><style>{_look(section)}</style>"
        f"<rect width='100%' height='100%' rx='6' fill='#fff'/>{drawing}</svg>"
    )
    data = base64.b64encode(svg.encode()).decode()
    return f"<img alt='{escape(said)}' style='max-width:100%' src='data:image/svg+xml;base64,{data}'>"


def _rows(entries: Iterable[tuple[str, str]]) -> Iterable[tuple[int, float, str, str]]:
    """Yield the row and the left edge of each entry, as many in a row as it has room for."""
    row, x = 0, float(LEFT)
    for kind, name in entries:
        width = SWATCH + 5 + LETTER * len(name) + GAP
        if x > LEFT and x + width > WIDTH:
            row, x = row + 1, float(LEFT)
        yield row, x, kind, name
        x += width


def sized(svg: str, width: int, height: int) -> str:
    """Return an SVG element with a size of its own, which within another one it needs."""
    return svg.replace("<svg ", f"<svg width='{width}' height='{height}' style='width:{width}px;height:{height}px' ", 1)


@functools.cache
def _look(section: str) -> str:
    """Return the colours of look.css and one of its sections."""
    css = asset("look.css")
    colours = css[css.index(".dfs-dashboard, .dfs-static {") : css.index("[data-jp-theme-light")]
    begin = css.index(f"/* {section} */")
    following = SECTIONS[SECTIONS.index(section) + 1]
    return escape(colours + css[begin : css.index(f"/* {following} */")], quote=False)
