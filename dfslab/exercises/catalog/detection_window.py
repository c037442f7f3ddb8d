"""Exercise: the earliest and the latest moment at which a crash can be noticed."""

from __future__ import annotations

from dataclasses import dataclass

from dfslab.core.policies.failure_detector import TimeoutDetector
from dfslab.exercises.drawing import BLUE, VERMILION, axes, svg
from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.beats import watch

SEEDS = 10
CRASHES = 40
TOLERANCE_S = 0.015

SPEC = """\
Write a function `detection_window(interval_s, timeout_s, delay_s, look_s)` that returns two numbers, `(earliest_s,
latest_s)`: how long after its crash a keeper is declared dead, at the earliest and at the latest.

- The keeper sends a heartbeat every `interval_s`. It crashes at any moment, and sends none from then on.
- Each heartbeat takes `delay_s` to the master. One that was sent before the crash still arrives.
- A keeper is overdue when the master has heard nothing from it for `timeout_s`.
- The master looks for overdue keepers every `look_s`, and declares them dead when it looks.

All times are seconds; `timeout_s` is longer than `interval_s`. The window must hold every crash, and be no wider than
that takes.
"""

STARTER = """\
def detection_window(interval_s, timeout_s, delay_s, look_s):
    earliest_s = 0.0
    latest_s = 0.0
    return earliest_s, latest_s
"""


@dataclass(frozen=True)
class _Settings:
    interval_s: float
    timeout_s: float
    delay_s: float
    look_s: float

    def __str__(self) -> str:
        return (
            f"interval {self.interval_s:g} s, timeout {self.timeout_s:g} s, delay {self.delay_s:g} s, "
            f"a look every {self.look_s:g} s"
        )


@dataclass(frozen=True)
class _Crash:
    """One crash: when the last heartbeat was sent, when the keeper crashed, when that was noticed."""

    last_s: float
    crash_s: float
    dead_s: float
    settings: _Settings
    window: tuple[float, float]

    @property
    def took_s(self) -> float:
        return self.dead_s - self.crash_s

    def picture(self) -> str:
        """Draw it beside the window that was foretold, as SVG."""
        ax = axes(1.7)
        heard_s = self.last_s + self.settings.delay_s
        earliest_s, latest_s = self.window
        ax.axvspan(self.crash_s + earliest_s, self.crash_s + latest_s, color=BLUE, alpha=0.2, label="your window")
        ax.plot(
            [self.last_s, heard_s], [0, 0], color=BLUE, marker="|", markersize=12, label="last heartbeat: sent, heard"
        )
        ax.plot(self.crash_s, 0, "v", color="black", markersize=9, label="crash")
        ax.plot(self.dead_s, 0, "X", color=VERMILION, markersize=9, label="declared dead")
        ax.set_yticks([])
        ax.set(xlabel="time (s)", title="one crash", ylim=(-1, 1))
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        return svg(ax)


def _looks_all_the_time(trial: Trial) -> None:
    _judge(trial, delayed=False, looks_s=(0.01,))


def _looks_now_and_then(trial: Trial) -> None:
    _judge(trial, delayed=False, looks_s=(0.1, 0.25, 0.5))


def _delayed(trial: Trial) -> None:
    _judge(trial, delayed=True, looks_s=(0.1, 0.25, 0.5))


def _judge(trial: Trial, *, delayed: bool, looks_s: tuple[float, ...]) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        interval_s = rng.choice([0.5, 1.0, 2.0])
        settings = _Settings(
            interval_s,
            interval_s * rng.choice([2.0, 3.0, 4.5]),
            rng.choice([0.2, 0.3, 0.7]) if delayed else 0.0,
            rng.choice(looks_s),
        )
        window = _window(trial, settings)
        for _ in range(CRASHES):
            _inside(_crash(settings, window, rng.random(), rng.choice([0.001, rng.random(), 0.999])))
        _no_wider(settings, window)


def _window(trial: Trial, settings: _Settings) -> tuple[float, float]:
    answer = trial.call(settings.interval_s, settings.timeout_s, settings.delay_s, settings.look_s)
    if not isinstance(answer, tuple | list) or len(answer) != 2 or not all(_is_number(one) for one in answer):
        raise Wrong(f"two numbers are asked for, (earliest_s, latest_s); it returned {answer!r:.80}")
    earliest_s, latest_s = float(answer[0]), float(answer[1])
    if not earliest_s <= latest_s:
        raise Wrong(f"the earliest is asked for first, then the latest; it returned {earliest_s:g}, {latest_s:g}")
    return earliest_s, latest_s


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _crash(settings: _Settings, window: tuple[float, float], first: float, after: float) -> _Crash:
    """Live through a crash some time after the fifth heartbeat."""
    sent = [(first + number) * settings.interval_s for number in range(5)]
    crash_s = sent[-1] + after * settings.interval_s
    arrivals = [beat + settings.delay_s for beat in sent]
    until_s = arrivals[-1] + settings.timeout_s + 2 * settings.look_s
    watched = watch(TimeoutDetector(settings.timeout_s), {"keeper-1": arrivals}, until_s, settings.look_s)
    return _Crash(sent[-1], crash_s, watched.dead["keeper-1"], settings, window)


def _inside(crash: _Crash) -> None:
    earliest_s, latest_s = crash.window
    if earliest_s - TOLERANCE_S <= crash.took_s <= latest_s + TOLERANCE_S:
        return
    side, bound_s = ("sooner", earliest_s) if crash.took_s < earliest_s else ("later", latest_s)
    told = f"it had sent its last heartbeat {crash.crash_s - crash.last_s:.2f} s before it crashed ({crash.settings})"
    what = (
        f"a keeper was declared dead {crash.took_s:.2f} s after its crash, {side} than your "
        f"{'earliest' if side == 'sooner' else 'latest'}, {bound_s:.2f} s: {told}"
    )
    raise Wrong(what, at_s=crash.dead_s, picture=crash.picture)


def _no_wider(settings: _Settings, window: tuple[float, float]) -> None:
    earliest_s = settings.timeout_s - settings.interval_s + settings.delay_s
    latest_s = settings.timeout_s + settings.delay_s + settings.look_s
    if window[0] < earliest_s - TOLERANCE_S:
        what = f"your window begins {window[0]:.2f} s after the crash, and no crash can be noticed as soon as that"
        crash = _crash(settings, window, 0.3, 0.999)
    elif window[1] > latest_s + TOLERANCE_S:
        what = f"your window ends {window[1]:.2f} s after the crash, and every crash has been noticed before that"
        crash = _crash(settings, window, 0.3, 0.001)
    else:
        return
    example = f"this keeper crashed {crash.crash_s - crash.last_s:.2f} s after a heartbeat, and that was noticed"
    raise Wrong(f"{what}: {example} {crash.took_s:.2f} s later ({settings})", at_s=crash.dead_s, picture=crash.picture)


EXERCISE = Exercise(
    name="detection-window",
    title="How soon, and how late, a crash is noticed",
    notebook="04_heartbeats_and_failure_detection",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check(
            "The window is right for a master that looks all the time, on a network without delay",
            1,
            _looks_all_the_time,
        ),
        Check("It is right for a master that looks now and then", 1, _looks_now_and_then),
        Check("It is right on a network with a delay", 1, _delayed),
    ),
)
