"""The topology as a drawing that stands still, for a saved notebook; `topology.js` draws the same one live."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dfslab.core.nodes import CLIENT, MASTER, short_name
from dfslab.views.dashboard.stills import image, sized

WIDTH, HEIGHT = 640, 420
FEW = 12
GLYPHS = {
    "running": "M-.42 .02 L-.12 .34 L.46 -.34",
    "dead": "M-.38 -.38 L.38 .38 M.38 -.38 L-.38 .38",
    "paused": "M-.22 -.42 V.42 M.22 -.42 V.42",
    "decommissioned": "M-.45 0 H.45",
}
"""In a circle of radius 1: a state has a shape, not only a colour."""


def topology_image(nodes: Sequence[Mapping[str, Any]]) -> str:
    """Return the drawing as an image; see `topology_svg`."""
    said = "; ".join(f"{node['name']} {node['word']}".strip() for node in nodes)
    return image(sized(topology_svg(nodes), WIDTH, HEIGHT), WIDTH, HEIGHT, "topology", said)


def topology_svg(nodes: Sequence[Mapping[str, Any]]) -> str:
    """Return master and client in the middle, the keepers around them.

    Parameters
    ----------
    nodes : sequence of mapping
        As `nodes_shown` makes them.
    """
    places = _places([str(node["name"]) for node in nodes])
    x, y = places[MASTER]
    edges = "".join(
        f"<path class='{_edge(node)}' d='M{x} {y} L{places[node['name']][0]} {places[node['name']][1]}'/>"
        for node in nodes
        if node["name"] not in (MASTER, CLIENT)
    )
    few = len(nodes) - 2 <= FEW
    drawn = "".join(_node(node, places[node["name"]], few) for node in nodes)
    return (
        f"<svg class='dfs-topology' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='Topology'>"
        f"<g class='edges'>{edges}</g>{drawn}</svg>"
    )


def _places(names: Sequence[str]) -> dict[str, tuple[int, int]]:
    keepers = [name for name in names if name not in (MASTER, CLIENT)]
    places = {MASTER: (WIDTH // 2, HEIGHT // 2 - 60), CLIENT: (WIDTH // 2, HEIGHT // 2 + 58)}
    for number, name in enumerate(keepers):
        angle = 2 * math.pi * (number + 0.5) / len(keepers) - math.pi / 2
        x, y = WIDTH / 2 + (WIDTH / 2 - 72) * math.cos(angle), HEIGHT / 2 - 4 + (HEIGHT / 2 - 56) * math.sin(angle)
        places[name] = round(x), round(y)
    return places


def _edge(node: Mapping[str, Any]) -> str:
    if node["cut"]:
        return "cut"
    return "up" if node["seen"] in ("alive", "draining") else "down"


def _node(node: Mapping[str, Any], place: tuple[int, int], few: bool) -> str:
    name, inner = str(node["name"]), node["name"] in (MASTER, CLIENT)
    radius = 24 if few or inner else 11
    body = (
        f"<rect class='body' x='{-1.3 * radius:.0f}' y='{-0.85 * radius:.0f}' width='{2.6 * radius:.0f}' "
        f"height='{1.7 * radius:.0f}' rx='7'/>"
        if inner
        else f"<circle class='body' r='{radius}'/>"
    )
    below = radius + 14
    words = f"<text class='word' y='{below + 13}'>{escape(node['word'])}</text>" if few or inner else ""
    label = name if few or inner else short_name(name)
    glyph = f"<path class='glyph' transform='scale({radius * 0.92:.1f})' d='{GLYPHS.get(node['state'], '')}'/>"
    tags = f"class='node {escape(node['state'])}' data-node='{escape(name)}'"
    return (
        f"<g {tags} transform='translate({place[0]} {place[1]})'>"
        f"<title>{escape(', '.join([name, node['word'], *node['troubles']]))}</title>{body}{glyph}"
        f"<text class='name' y='{below}'>{escape(label)}</text>{words}</g>"
    )
