"""How likely a file is lost for good."""

from __future__ import annotations

import math

from dfslab.core.checks import check_count, check_positive
from dfslab.core.predict.chains import RepairChain
from dfslab.core.predict.prediction import Prediction, check_amount


def loss_probability(live: int, mtbf_s: float, window_s: float | Prediction) -> Prediction:
    """Predict the chance that a file is lost in one vulnerable window: every copy left fails before one is made.

    Parameters
    ----------
    live : int
        Copies that are left, each on a keeper of its own.
    mtbf_s : float
        Mean time from one failure of a keeper to its next, seconds, for each of them.
    window_s : float or Prediction
        How long the file is short of copies: `recovery_s`, whose range then gives one here.

    Returns
    -------
    Prediction
        A chance, 0 to 1.

    Raises
    ------
    InvalidOption
        For fewer than one copy, or a time that is none.

    Notes
    -----
    Assumed: keepers fail independently, at a constant rate λ = 1 / MTBF (a Poisson process: nothing
    wears in or out), and a failed keeper's disk does not come back within the window. Then one keeper
    fails within W with 1 - exp(-λW), and all of them with::

        P = (1 - exp(-W / MTBF)) ^ live

    For W much shorter than the MTBF that is nearly (W / MTBF) ^ live: each further copy divides the risk
    by MTBF / W.

    In real data centres failures come together (a rack, a power supply, an update), so that this is
    the hopeful end: Ford et al., "Availability in globally distributed storage systems", OSDI 2010,
    who find a large part of the failures to come in bursts. The window as the lever: Chun et al.,
    "Efficient replica maintenance for distributed storage systems", NSDI 2006.

    Examples
    --------
    >>> day = 86_400.0
    >>> f"{loss_probability(2, mtbf_s=30 * day, window_s=600).typical:.1e}"
    '5.4e-08'
    """
    check_count("live", live)
    check_positive("mtbf_s", mtbf_s)
    window = window_s if isinstance(window_s, Prediction) else Prediction(window_s, window_s, window_s)
    for one in (window.low, window.typical, window.high):
        if not math.isnan(one) and one != math.inf:
            check_amount("window_s", one)
    low, typical, high = (_all_fail(live, mtbf_s, one) for one in (window.low, window.typical, window.high))
    return Prediction(low, typical, high, "")


def _all_fail(live: int, mtbf_s: float, window_s: float) -> float:
    return float((-math.expm1(-window_s / mtbf_s)) ** live)


def mean_time_to_loss_s(replicas: int, mtbf_s: float, recovery_s: float) -> float:
    """Predict the mean time until a file with so many copies is lost, seconds.

    Parameters
    ----------
    replicas : int
        Copies that the file is kept at.
    mtbf_s : float
        Mean time between failures of one keeper, seconds.
    recovery_s : float
        Mean time from a failure until its copy is made again, seconds.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    InvalidOption

    Notes
    -----
    `RepairChain` has the chain, its derivation, and the chance of a loss within a time, exactly. For two
    copies the mean is (3λ + μ) / (2λ²), with λ = 1 / MTBF and μ = 1 / recovery: about MTBF² / (2 recovery),
    the formula of Patterson, Gibson & Katz for mirrored disks ("A case for redundant arrays of inexpensive
    disks", SIGMOD 1988). Ford et al., OSDI 2010, use the same chain for stripes and show by how much
    correlated failures shorten it.

    Repair takes an exponential time here, a fixed one in `loss_probability`; the chance of loss within
    t, if t is much shorter than the mean, is about t / mean.

    Examples
    --------
    >>> year = 365 * 86_400.0
    >>> round(mean_time_to_loss_s(2, mtbf_s=year, recovery_s=3600.0) / year)
    4382
    """
    return RepairChain(replicas, mtbf_s, recovery_s).mean_time_to_loss_s
