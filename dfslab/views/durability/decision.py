"""A slider that has a name: those of ipywidgets have none that a screen reader could say."""

from __future__ import annotations

from importlib.resources import files

import anywidget
import traitlets


class Decision(anywidget.AnyWidget):
    """A whole number that a player decides.

    Attributes
    ----------
    name, label : str
    value, min, max, step : int
    """

    _esm = files(__package__).joinpath("decision.js").read_text("utf-8")
    name = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    value = traitlets.Int().tag(sync=True)
    min = traitlets.Int().tag(sync=True)
    max = traitlets.Int().tag(sync=True)
    step = traitlets.Int(1).tag(sync=True)
