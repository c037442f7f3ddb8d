"""The game itself: four sliders, and the picture of what they come to."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfslab.core.checks import check_positive
from dfslab.core.errors import InvalidOption
from dfslab.views.durability.decision import Decision
from dfslab.views.durability.design import COPIES, DATA_TB, DISK_TB, KEEPERS, MTBF_DAYS, REPAIR_MB_S, Design, Tried
from dfslab.views.durability.picture import SIZE_IN, draw_game

LIMITS = {"copies": COPIES, "keepers": KEEPERS, "mtbf_days": MTBF_DAYS, "repair_mb_s": REPAIR_MB_S}
LABELS = {
    "copies": "copies of each file",
    "keepers": "keepers",
    "mtbf_days": "MTBF of a keeper (days)",
    "repair_mb_s": "repair rate (MB/s)",
}
STEPS = {"mtbf_days": 5}
DPI = 110


class DurabilityGame(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The game as a widget; `choose` plays it without one. See `durability_game`."""

    def __init__(self, target: float, budget: float, seed: int) -> None:
        self.target, self.budget = target, budget
        self._seed, self._held = seed, False
        self._lock = threading.RLock()
        self.tried: list[Tried] = [Tried.of(Design(), seed)]
        self._sliders = {name: _slider(name, getattr(Design(), name)) for name in LIMITS}
        self._verdict = ipywidgets.HTML()
        self._picture = ipywidgets.HTML()
        rules = ipywidgets.HTML(_rules(target, budget))
        super().__init__([rules, *self._sliders.values(), self._verdict, self._picture])
        self.add_class("dfs-durability")
        self._show()
        for slider in self._sliders.values():
            slider.observe(self._moved, "value")

    @property
    def design(self) -> Design:
        """The design that is shown."""
        return self.tried[-1].design

    def choose(self, **decisions: int) -> str:
        """Decide as with the sliders, and return the verdict.

        Parameters
        ----------
        copies, keepers, mtbf_days, repair_mb_s : int, optional
            What is left out stays as it is.

        Raises
        ------
        InvalidOption
            Something else, or beyond a slider's ends; nothing has changed.
        """
        for name, value in decisions.items():
            _check(name, value)
        with self._lock:
            self._held = True
            try:
                for name, value in decisions.items():
                    self._sliders[name].value = value
            finally:
                self._held = False
            self._try()
            return self._told()

    def plot(self) -> Axes:
        """Draw the picture as a figure of its own, which a saved notebook keeps, and return its first Axes."""
        from matplotlib import pyplot  # selects a backend, which importing views must not do

        with self._lock:
            return draw_game(
                pyplot.figure(figsize=SIZE_IN, layout="constrained"), self.tried, self.target, self.budget
            )[0]

    # -- what a slider does -------------------------------------------------------------------------

    def _moved(self, change: object) -> None:
        """Show what a slider has come to. It may run on any thread, and beside another one."""
        with self._lock:
            if not self._held:
                self._safely(self._try)

    def _safely(self, do: Callable[[], None]) -> None:
        """An error of a callback would be seen nowhere: it is shown in the verdict's place."""
        try:
            do()
        except Exception as error:  # noqa: BLE001 - whatever it is
            self._verdict.value = f"<b>The game met an error of its own:</b> {escape(repr(error))}"

    def _try(self) -> None:
        design = Design(**{name: slider.value for name, slider in self._sliders.items()})
        if design != self.design:
            self.tried.append(Tried.of(design, self._seed))
        self._show()

    def _show(self) -> None:
        self._verdict.value = f"<p role='status' class='dfs-verdict'>{escape(self._told())}</p>"
        self._picture.value = self._image()

    def _told(self) -> str:
        return self.tried[-1].told(self.target, self.budget)

    def _image(self) -> str:
        """Return the picture, with words for who can't see it."""
        figure = Figure(figsize=SIZE_IN, layout="constrained", dpi=DPI)
        draw_game(figure, self.tried, self.target, self.budget)
        out = io.BytesIO()
        figure.savefig(out, format="png")
        data = base64.b64encode(out.getvalue()).decode()
        said = f"Design {len(self.tried)}: {self.design.told()}. {self._told()}"
        return f"<img alt='{escape(said)}' style='max-width:100%' src='data:image/png;base64,{data}'>"

    # -- without widgets ----------------------------------------------------------------------------

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Return the widget, and beside it words for where there are no widgets; `plot` has the picture."""
        data: dict[str, Any] = super()._repr_mimebundle_(**kwargs) or {}
        return {
            **data,
            "text/html": f"{_rules(self.target, self.budget)}<p>{escape(repr(self))}</p>",
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        return f"DurabilityGame: design {len(self.tried)} ({self.design.told()}). {self._told()}"


def durability_game(*, target: float = 0.01, budget: float = 600, seed: int = 8) -> DurabilityGame:
    """Return the durability game: keep 24 TB of files for a year, at the least cost.

    Four sliders decide how many copies each file has, how many keepers there are, how rarely one fails and how fast
    its files are copied again. The picture shows the chance of losing a file, by the Markov chain
    (`dfslab.predict.RepairChain`) beside simulated years, and all designs so far by their cost.

    Parameters
    ----------
    target : float
        The chance of a loss within a year that is allowed.
    budget : float
        The cost a year that is.
    seed : int
        Of the simulated years.

    Returns
    -------
    DurabilityGame
        A widget, to be shown as the last line of a cell. It also has `choose`, to decide in Python, `tried`, and
        `plot`, for a picture that stays in a saved notebook.

    Raises
    ------
    InvalidOption

    Examples
    --------
    >>> game = durability_game()
    >>> print(game.choose(copies=3, mtbf_days=40).partition(":")[0])
    Within the budget, and not safe enough. Cost 468 of 600
    """
    check_positive("target", target)
    check_positive("budget", budget)
    return DurabilityGame(target, budget, seed)


def _slider(name: str, value: int) -> Decision:
    low, high = LIMITS[name]
    return Decision(name=name, label=LABELS[name], value=value, min=low, max=high, step=STEPS.get(name, 1))


def _check(name: str, value: int) -> None:
    if name not in LIMITS:
        raise InvalidOption(option=name, value=repr(value), reason=f"the game decides {', '.join(LIMITS)}")
    low, high = LIMITS[name]
    if not isinstance(value, int) or not low <= value <= high:
        raise InvalidOption(option=name, value=repr(value), reason=f"it must be a whole number from {low} to {high}")


def _rules(target: float, budget: float) -> str:
    return (
        f"<p><b>The durability game.</b> Keep {DATA_TB} TB of files for a year on keepers with disks of {DISK_TB} TB. "
        f"Lose one with a chance of {target:.2%} at most, for {budget:g} at most; then for as little as you can.</p>"
    )
