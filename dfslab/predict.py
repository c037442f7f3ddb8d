"""Predictions: `dfslab.predict.download_s(...)` and the others, each a closed formula with its derivation.

>>> import dfslab
>>> twenty = dfslab.Link(rate_mb_s=20)
>>> three = dfslab.predict.download_rate_mb_s(600_000_000, holders=[twenty] * 3)
>>> round(three.typical), 59 in three
(60, True)

The settings of a running cluster are in `cluster.setup.options`, at its speed; others are made with
`Options`.

>>> round(dfslab.predict.detection_s(dfslab.predict.Options(heartbeat_timeout_s=5)).typical, 2)
4.55
"""

from dfslab.core.options import Options
from dfslab.core.predict import (
    RATE_TOLERANCE,
    SLACK_S,
    Bursts,
    Fleet,
    Prediction,
    RepairChain,
    chance_interval,
    detection_s,
    download_rate_mb_s,
    download_s,
    first_loss_s,
    loss_probability,
    mean_time_to_loss_s,
    recovery_s,
    repair_s,
    share_lost_by,
    simulate_losses,
    upload_s,
)

__all__ = [
    "RATE_TOLERANCE",
    "SLACK_S",
    "Bursts",
    "Fleet",
    "Options",
    "Prediction",
    "RepairChain",
    "chance_interval",
    "detection_s",
    "download_rate_mb_s",
    "download_s",
    "first_loss_s",
    "loss_probability",
    "mean_time_to_loss_s",
    "recovery_s",
    "repair_s",
    "share_lost_by",
    "simulate_losses",
    "upload_s",
]
