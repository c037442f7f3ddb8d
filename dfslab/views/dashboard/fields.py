"""Small widgets that the control pages are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from dfslab.core.errors import DfsError, InvalidOption

Refuse = Callable[[str], None]


def button(text: str, name: str, tip: str, do: Callable[[], None], refuse: Refuse) -> ipywidgets.Button:
    """Return a button, found by its class `dfs-<name>`; an error of `do` is shown on the page, elsewhere it is lost."""
    made = ipywidgets.Button(description=text, tooltip=tip)
    made.add_class(f"dfs-{name}")

    def clicked(_: Any) -> None:
        try:
            do()
        except DfsError as error:
            refuse(str(error))
        except Exception as error:  # noqa: BLE001 - an exception in a callback would appear nowhere
            refuse(f"{type(error).__name__}: {error}")

    made.on_click(clicked)
    return made


def row(*children: ipywidgets.Widget, kind: str = "") -> ipywidgets.HBox:
    """Return widgets beside each other, below each other where there is no room."""
    box = ipywidgets.HBox(children)
    box.add_class("dfs-buttons")
    if kind:
        box.add_class(kind)
    return box


def hint(text: str) -> ipywidgets.HTML:
    """Return a line that explains; the text is ours and needs no escaping."""
    made = ipywidgets.HTML(text)
    made.add_class("dfs-hint")
    return made


def chooser(label: str, name: str, options: Sequence[Any] = (), width: str = "190px") -> ipywidgets.Dropdown:
    """Return a drop-down list, found by its class `dfs-<name>`."""
    made = ipywidgets.Dropdown(description=label, options=options, layout=ipywidgets.Layout(width=width))
    made.add_class(f"dfs-{name}")
    made.add_class("dfs-field")
    return made


def entry(label: str, name: str, placeholder: str, width: str = "150px") -> ipywidgets.Text:
    """Return a field for a short text, found by its class `dfs-<name>`."""
    made = ipywidgets.Text(description=label, placeholder=placeholder, layout=ipywidgets.Layout(width=width))
    made.add_class(f"dfs-{name}")
    made.add_class("dfs-field")
    return made


def offer(field: ipywidgets.Dropdown | ipywidgets.SelectMultiple, options: Sequence[Any]) -> None:
    """Give a list other options; what was chosen stays chosen as long as it is still there."""
    if tuple(field.options) == tuple(options):
        return
    values = [option[1] if isinstance(option, tuple) else option for option in options]
    chosen = field.value
    with field.hold_sync():
        field.options = tuple(options)
        if isinstance(field, ipywidgets.SelectMultiple):
            field.value = tuple(one for one in chosen if one in values)
        elif values:
            field.value = chosen if chosen in values else values[0]


def number(name: str, text: str) -> float:
    """Return the number in a field, or raise InvalidOption that names it."""
    try:
        return float(text)
    except ValueError:
        raise InvalidOption(option=name, value=repr(text), reason="it must be a number") from None
