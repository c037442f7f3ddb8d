"""Predictions: closed formulas for what the protocol does, each with its derivation and its source.

A prediction is a range, `Prediction(low, typical, high)`. They know the settings and the emulated links,
nothing of the machine: where no link sets a rate they say NaN, unless `machine_mb_s` tells one. The
`..._between` functions ask a cluster's own table of links; the others take links one by one.
"""

from dfslab.core.predict.chains import RepairChain
from dfslab.core.predict.detection import detection_s
from dfslab.core.predict.downloads import download_between, download_rate_mb_s, download_s
from dfslab.core.predict.fleets import Fleet
from dfslab.core.predict.lives import Bursts, chance_interval, first_loss_s, share_lost_by, simulate_losses
from dfslab.core.predict.losses import loss_probability, mean_time_to_loss_s
from dfslab.core.predict.prediction import RATE_TOLERANCE, SLACK_S, Prediction, check_machine, rate_of, unknown
from dfslab.core.predict.repairs import recovery_s, repair_between, repair_s
from dfslab.core.predict.uploads import upload_between, upload_s
from dfslab.core.predict.wires import Wires

__all__ = [
    "RATE_TOLERANCE",
    "SLACK_S",
    "Bursts",
    "Fleet",
    "Prediction",
    "RepairChain",
    "Wires",
    "chance_interval",
    "check_machine",
    "detection_s",
    "download_between",
    "download_rate_mb_s",
    "download_s",
    "first_loss_s",
    "loss_probability",
    "mean_time_to_loss_s",
    "rate_of",
    "recovery_s",
    "repair_between",
    "repair_s",
    "share_lost_by",
    "simulate_losses",
    "unknown",
    "upload_between",
    "upload_s",
]
