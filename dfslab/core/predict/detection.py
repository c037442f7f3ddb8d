"""How long a death stays unnoticed."""

from __future__ import annotations

from dfslab.core.options import Options
from dfslab.core.predict.prediction import SLACK_S, Prediction, check_amount, check_options


def detection_s(options: Options | None = None, *, slack_s: float = SLACK_S) -> Prediction:
    """Predict the time from a keeper's silence (a kill, a pause, a partition) to "dead" in the lookup table.

    Parameters
    ----------
    options : Options, optional
        As in effect, timers already divided by `speed`: `cluster.setup.options`.
    slack_s : float
        What a busy machine may add or, by a late heartbeat, take away.

    Returns
    -------
    Prediction
        Seconds.

    Raises
    ------
    InvalidOption
        For a negative slack.

    Notes
    -----
    Heartbeats come every I seconds. The keeper falls silent at a moment that has nothing to do with
    them, so the master last heard of it φ seconds before, φ evenly spread over 0 to I. It is overdue T
    seconds after it was last heard, that is T - φ after it fell silent. The master looks every τ
    seconds (`options.tick_s`), so it sees that another 0 to τ later::

        low  = T - I        typical = T - I/2 + τ/2        high = T + τ

    The delay of the link drops out: a heartbeat that is still under way when its sender dies never
    arrives, so that φ counts from the arrival of the last one that did.

    Source: heartbeats as in GFS (Ghemawat et al., SOSP 2003, §2.3), a fixed timeout as in HDFS (Shvachko
    et al., "The Hadoop distributed file system", MSST 2010); Chen, Toueg & Aguilera, "On the quality of
    service of failure detectors", IEEE Trans. Computers 51(5), 2002, define the detection time and
    study how interval and timeout decide it.

    Examples
    --------
    >>> detection_s(Options(heartbeat_interval_s=1, heartbeat_timeout_s=3), slack_s=0)
    Prediction(low=2, typical=2.55, high=3.1, unit='s')
    """
    options = check_options(options)
    check_amount("slack_s", slack_s)
    interval, timeout, tick = options.heartbeat_interval_s, options.heartbeat_timeout_s, options.tick_s
    return Prediction(max(0, timeout - interval - slack_s), timeout - interval / 2 + tick / 2, timeout + tick + slack_s)
