"""The dashboard: it looks twice a second, from a thread of its own, and acts only on what a click has asked for."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import ipywidgets

from dfslab.views.dashboard.acting import Acting, descendants
from dfslab.views.dashboard.controls import Controls
from dfslab.views.dashboard.observed import Observed
from dfslab.views.dashboard.parts import notice_html
from dfslab.views.dashboard.static import Still, still_html, still_text
from dfslab.views.dashboard.views import Views
from dfslab.views.source import Source

PERIOD_S = 0.5
REST_S = 0.08
"""Between two looks, however much there is to show."""
JOIN_S = 15.0
"""How long the end waits for what a button has begun."""
REPLACE_JOIN_S = 2.0
"""The same for a dashboard that is replaced: a long transfer goes on, and its thread ends with it."""


class Dashboard(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets is not typed
    """A panel that shows a trace, live or saved, and acts on its cluster where there is one.

    `cluster.dashboard()` and `replay(...).dashboard()` make it.

    Parameters
    ----------
    source : Source
        The trace.
    controls : Controls, optional
        What the buttons act through; without it there are none, as for a saved trace.
    """

    def __init__(self, source: Source, controls: Controls | None = None) -> None:
        self._source, self._controls = source, controls
        self._looking = threading.RLock()
        self._wake, self._asked, self._stop = threading.Event(), threading.Event(), threading.Event()
        self._seen, self._observed = Observed.of(source)
        self._past: tuple[float, Observed] | None = None
        self._ended, self._ended_at = "", math.inf
        self._failure = ""
        self._notice = ipywidgets.HTML()
        self._notice.add_class("dfs-error")
        self._views = Views(controls is not None, self._changed)
        self._acting = Acting(controls, self._views.topology, self._wake.set) if controls else None
        cards = self._views.cards(self._acting.widget if self._acting else None)
        super().__init__([self._views.summary, self._views.slider, self._notice, *cards])
        self.add_class("dfs-dashboard")
        self.refresh()
        self._thread = threading.Thread(target=self._watch, name="dashboard", daemon=True)
        if controls:
            self._thread.start()

    def refresh(self) -> None:
        """Show what is so now. Where a page does not hear of updates by itself (Colab), call this."""
        with self._looking:
            self._look(at_once=True)

    def snapshot(self) -> Still:
        """Return what is shown as a picture that stays: put it in a cell of its own, and a saved notebook has it."""
        with self._looking:
            observed, now, at = self._moment()
            moment = now if at is None else at
            return Still(still_html(observed, moment, self._ended), still_text(observed, moment, self._ended))

    # -- looking ----------------------------------------------------------------------------------

    def _changed(self) -> None:
        """Somebody asks for something else to be shown: the thread does it, or, where there is none, the caller."""
        if self._controls:
            self._asked.set()
            self._wake.set()
        else:
            self._look_safely(at_once=True)

    def _watch(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(PERIOD_S)
            self._wake.clear()
            if not self._stop.is_set():
                asked = self._asked.is_set()
                self._asked.clear()
                self._look_safely(at_once=asked)
            self._stop.wait(REST_S)

    def _look_safely(self, *, at_once: bool) -> None:
        """Look; an error is shown on the page, and the next look tries again."""
        self._failure = ""
        if not self._attempt(lambda: self._look(at_once=at_once)):
            self._attempt(lambda: self._show_notice(None))

    def _attempt(self, show: Callable[[], None]) -> bool:
        """Show something; an error is kept for the notice, since nobody would see it elsewhere. Return whether it went.

        When the page is gone with its kernel, no notice can be shown either.
        """
        try:
            with self._looking:
                show()
        except Exception as error:  # noqa: BLE001 - whatever it is
            self._failure = self._failure or f"the dashboard met an error of its own: {type(error).__name__}: {error}"
            return False
        return True

    def _look(self, *, at_once: bool) -> None:
        self._catch_up()
        observed, now, at = self._moment()
        self._views.show(observed, self._source.begin(), now, at, at_once=at_once)
        if self._acting:
            self._acting.show(self._observed)
        self._show_notice(at)
        self._let_clicks_pass()

    def _catch_up(self) -> None:
        total, news = self._source.news(self._seen)
        if total - self._seen > len(news):  # more has happened than the trace keeps
            self._seen, self._observed = Observed.of(self._source)
        else:
            self._seen = total
            self._observed.extend(news)

    def _moment(self) -> tuple[Observed, float, float | None]:
        """Return what is to be shown, the time now, and the moment that the slider asks for, if any."""
        now, asked = min(self._source.now(), self._ended_at), self._views.slider.at
        if asked is None:
            self._past = None
            return self._observed, now, None
        at = min(max(float(asked), self._source.begin()), now)
        if self._past is None or self._past[0] != at:
            self._past = at, Observed.of(self._source.at(at))[1]
        return self._past[1], now, at

    def _show_notice(self, at: float | None) -> None:
        error = self._failure or (self._acting.work.error if self._acting else "")
        past = (
            ""
            if at is None or not self._acting
            else f"This is {at:.1f} s; the buttons act on the cluster as it is now."
        )
        self._notice.value = (
            notice_html(self._ended, kind="ended") + notice_html(error, kind="error") + notice_html(past, kind="past")
        )

    def _let_clicks_pass(self) -> None:
        """Let the page decide where a click is handled, so that it need not wait for a cell that runs.

        ipykernel 7.4 sends the messages of a widget to the shell from which that was last updated; for
        one that a cell made, that is the main one, which is busy as long as a cell runs.
        """
        for widget in [*self._views.interactive, *(self._acting.interactive if self._acting else ())]:
            getattr(widget.comm, "__dict__", {}).pop("_reply_subshell_id", None)

    # -- the end ----------------------------------------------------------------------------------

    def end(self, why: str, join_s: float = JOIN_S) -> None:
        """Stop looking and acting, join the threads, and say why; what was shown last stays."""
        if self._ended:
            return
        self._ended, self._ended_at = why, self._source.now()
        self._stop.set()
        self._wake.set()
        if self._acting:
            self._acting.work.stop(join_s)
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)
        self._look_safely(at_once=True)
        self._attempt(self._rest)

    def _rest(self) -> None:
        """Let nothing move and nothing be clicked any more."""
        self._views.slider.enabled = False
        self._views.topology.flows = []  # nobody would take away what moves
        if self._acting:
            self._acting.disable()

    def replace(self) -> None:
        """Make room for a newer dashboard: stop, and leave one line."""
        self.end("A newer dashboard of this cluster is shown; this one has stopped.", REPLACE_JOIN_S)
        inner = [widget for child in self.children if child is not self._notice for widget in descendants(child)]
        self.set_trait("children", [self._notice])
        for widget in inner:
            for part in (widget, getattr(widget, "layout", None), getattr(widget, "style", None)):
                if part is not None:
                    part.close()

    def close(self) -> None:
        """Stop, and take the widgets away."""
        if hasattr(self, "_thread"):  # an `__init__` that failed has none
            self.end("This dashboard is closed.")
        super().close()

    # -- without widgets --------------------------------------------------------------------------

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Return the widget, and beside it HTML and text for where there are no widgets."""
        data: dict[str, Any] = super()._repr_mimebundle_(**kwargs) or {}
        still = self.snapshot()
        return {**data, "text/html": still._repr_html_(), "text/plain": repr(still)}

    def __repr__(self) -> str:
        return repr(self.snapshot())
