"""Real processes under the nemesis for some minutes, with clients at work: nothing acknowledged may be lost.

The books and the verdict are those of the fault matrix (tests/faults/ledger.py).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from dfslab.core.errors import DfsError, NoSuchFile
from tests.faults.case import Case
from tests.faults.ledger import Ledger

CLIENTS = 4
NAMES = 24
KEEPERS = 6
SIZES = (0, 1, 40_000, 262_144, 262_145, 1_500_000)


@dataclass
class Storm:
    """What a storm came to.

    Attributes
    ----------
    uploaded, downloaded, deleted : int
        Acknowledged uploads and deletions, and downloads that were compared.
    errors : Counter
        Typed errors that clients met meanwhile, by name.
    struck : Counter
        What the nemesis did, by kind.
    broken : list of str
        What must not be; empty when all held.
    """

    seconds: float = 0.0
    uploaded: int = 0
    downloaded: int = 0
    deleted: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def storm(seconds: float, seed: int, isolation: str = "process") -> Storm:
    """Let the nemesis loose on a cluster for so many seconds, heal it, and hold it to the oracle."""
    result, case = Storm(), Case(seed)
    began = time.monotonic()
    try:
        ledger = case.start(KEEPERS, isolation=isolation)
        ledger.recovery_limit_s = 60.0
        stop = threading.Event()
        workers = [
            threading.Thread(target=_work, args=(ledger, Random(f"{seed}/{number}"), stop, result))
            for number in range(CLIENTS)
        ]
        for worker in workers:
            worker.start()
        try:
            with ledger.cluster.nemesis(every_s=20.0, seed=seed) as nemesis:
                stop.wait(seconds)
                result.struck.update(step.action.kind for step in nemesis.actions.steps)
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        case.strike("nemesis", result.struck.total())
        case.judge()
    except AssertionError as wrong:
        result.broken.append(str(wrong))
    finally:
        case.close()
    result.seconds = time.monotonic() - began
    return result


def _work(ledger: Ledger, rng: Random, stop: threading.Event, result: Storm) -> None:
    """Upload, download and delete until it is time to stop; what must not be is noted, typed errors are counted."""
    while not stop.is_set():
        name = f"soak/{rng.randrange(NAMES)}.mp4"
        try:
            _act(ledger, name, rng, result)
        except NoSuchFile:
            continue
        except DfsError as error:
            result.errors[type(error).__name__] += 1
        except AssertionError as wrong:
            result.broken.append(str(wrong))
            return


def _act(ledger: Ledger, name: str, rng: Random, result: Storm) -> None:
    choice = rng.random()
    if choice < 0.5:
        ledger.upload(name, rng.choice(SIZES), ack_replicas=rng.choice([1, 1, 2, 3]))
        result.uploaded += 1
    elif choice < 0.95:
        ledger.download(name)
        result.downloaded += 1
    else:
        ledger.delete(name)
        result.deleted += 1
