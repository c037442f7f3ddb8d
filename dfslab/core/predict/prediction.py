"""What a prediction is: a range with its middle, and how its inputs are checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dfslab.core.checks import check_positive, is_number
from dfslab.core.errors import InvalidOption
from dfslab.core.options import Options

SLACK_S = 0.1
"""What a machine that also does other things may add to a time before we call the prediction wrong, seconds."""
RATE_TOLERANCE = 0.05
"""By how much of itself an emulated rate may be missed."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A quantity as a formula has it: between `low` and `high`, most likely near `typical`.

    All three are NaN where the links do not say: with no limit on any of them, the machine decides.

    Attributes
    ----------
    low, typical, high : float
        `high` is infinite where chance sets no bound.
    unit : str
        "s", "MB/s" (10^6 bytes), or "" for a chance.

    Examples
    --------
    >>> 2.5 in Prediction(2.0, 2.55, 3.2)
    True
    >>> Prediction(2.0, 2.55, 3.2) + Prediction(0.5, 1.0, 2.0)
    Prediction(low=2.5, typical=3.55, high=5.2, unit='s')
    """

    low: float
    typical: float
    high: float
    unit: str = "s"

    @property
    def is_known(self) -> bool:
        """False where the links do not say, and all three numbers are NaN."""
        return not math.isnan(self.typical)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __add__(self, other: Prediction) -> Prediction:
        """Return what one after the other takes."""
        return Prediction(self.low + other.low, self.typical + other.typical, self.high + other.high, self.unit)


def unknown(unit: str = "s") -> Prediction:
    """Return the prediction that there is none."""
    return Prediction(math.nan, math.nan, math.nan, unit)


def rate_of(size_bytes: float, seconds: Prediction) -> Prediction:
    """Return the rate in MB/s at which so many bytes move in such a time."""
    low, typical, high = (_rate(size_bytes, one) for one in (seconds.high, seconds.typical, seconds.low))
    return Prediction(low, typical, high, "MB/s")


def _rate(size_bytes: float, seconds: float) -> float:
    if seconds == 0:
        return math.inf if size_bytes else 0.0
    return size_bytes / 1e6 / seconds


def check_amount(option: str, value: float) -> float:
    """Return a finite number of at least 0, or raise InvalidOption naming it."""
    if not is_number(value) or value < 0:
        raise InvalidOption(option=option, value=repr(value), reason="it must be a number, 0 or more")
    return float(value)


def check_some(option: str, values: Sequence[object]) -> None:
    """Raise InvalidOption when what must be a sequence with something in it is none, or empty."""
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise InvalidOption(option=option, value=repr(values), reason="it must be a sequence")
    if not values:
        raise InvalidOption(option=option, value=repr(values), reason="there must be at least one")


def check_options(options: Options | None) -> Options:
    """Return the settings, those of `Options()` for None; raise InvalidOption for what are none."""
    if options is not None and not isinstance(options, Options):
        raise InvalidOption(option="options", value=repr(options), reason="it must be dfslab.predict.Options(...)")
    return options or Options()


def check_machine(machine_mb_s: float | None) -> float | None:
    """Return the rate of the machine, if one is given; raise InvalidOption when it is none."""
    return None if machine_mb_s is None else check_positive("machine_mb_s", machine_mb_s)
