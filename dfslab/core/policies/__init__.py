"""Policies: the decisions that a student may replace.

Each kind has a small interface over plain values and a registry by name. A policy is given to
`dfslab.cluster.start(...)` by name, as a class, or as an object of one's own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dfslab.core.errors import InvalidOption, PolicyFailed
from dfslab.core.policies import placement as placing
from dfslab.core.policies.chunk_scheduler import ChunkScheduler
from dfslab.core.policies.chunk_schedulers.no_hedging import NoHedging
from dfslab.core.policies.chunk_schedulers.uniform import Uniform
from dfslab.core.policies.chunk_schedulers.work_stealing import WorkStealing
from dfslab.core.policies.detectors.phi_accrual import PhiAccrual
from dfslab.core.policies.detectors.timeout import TimeoutDetector
from dfslab.core.policies.facts import asked_for
from dfslab.core.policies.failure_detector import FailureDetector
from dfslab.core.policies.placement import Placement
from dfslab.core.policies.placements.balanced import Balanced
from dfslab.core.policies.placements.copysets import Copysets
from dfslab.core.policies.placements.rack_aware import RackAware
from dfslab.core.policies.placements.random_placement import RandomPlacement
from dfslab.core.policies.placements.round_robin import RoundRobin
from dfslab.core.policies.placements.two_choices import TwoChoices
from dfslab.core.policies.repair_order import RepairOrder
from dfslab.core.policies.repair_orders.fewest_copies_first import FewestCopiesFirst
from dfslab.core.policies.repair_orders.oldest_first import OldestFirst
from dfslab.core.policies.repair_orders.random_order import RandomOrder
from dfslab.core.policies.repair_orders.smallest_first import SmallestFirst

T = TypeVar("T")

POLICIES: dict[str, dict[str, type[Any]]] = {
    "placement": {
        "balanced": Balanced,
        "random": RandomPlacement,
        "round-robin": RoundRobin,
        "two-choices": TwoChoices,
        "rack-aware": RackAware,
        "copysets": Copysets,
    },
    "failure_detector": {"timeout": TimeoutDetector, "phi-accrual": PhiAccrual},
    "repair_order": {
        "fewest-copies-first": FewestCopiesFirst,
        "oldest-first": OldestFirst,
        "smallest-first": SmallestFirst,
        "random": RandomOrder,
    },
    "chunk_scheduler": {"work-stealing": WorkStealing, "no-hedging": NoHedging, "uniform": Uniform},
}
"""The policies that a name stands for, by kind."""
_METHODS: Mapping[str, tuple[str, ...]] = {
    "placement": ("choose",),
    "failure_detector": ("heard", "forget", "is_overdue"),
    "repair_order": ("key",),
    "chunk_scheduler": ("next_chunk",),
}


@dataclass(frozen=True)
class Policies:
    """The four policies of a cluster, as prototypes: each master works on its own copy.

    Attributes
    ----------
    placement_facts : frozenset of str
        What placement asks to be told beside what every placement is, found out once.
    """

    placement: Placement
    failure_detector: FailureDetector
    repair_order: RepairOrder
    chunk_scheduler: ChunkScheduler
    placement_facts: Collection[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "placement_facts", asked_for(self.placement.choose, placing.FACTS))

    @classmethod
    def of(
        cls,
        *,
        placement: object = "balanced",
        failure_detector: object = "timeout",
        repair_order: object = "fewest-copies-first",
        chunk_scheduler: object = "work-stealing",
        heartbeat_timeout_s: float = 3.0,
        replicas: int = 3,
    ) -> Policies:
        """Resolve names, classes and objects; raise InvalidOption for what is none of them.

        A registered policy is told of the timeout and the replicas if it wants to know.
        """
        return cls(
            resolve("placement", placement, replicas=replicas),
            resolve("failure_detector", failure_detector, timeout_s=heartbeat_timeout_s),
            resolve("repair_order", repair_order),
            resolve("chunk_scheduler", chunk_scheduler),
        )

    def fresh(self) -> Policies:
        """Return copies with no memory of an earlier run."""
        return copy.deepcopy(self)


def consult(kind: str, question: Callable[[], T]) -> T:
    """Return a policy's answer; whatever it raises becomes a PolicyFailed, for the policy may be anybody's."""
    try:
        return question()
    except Exception as error:  # somebody else's code: its error is named and passed on
        raise PolicyFailed(policy=kind, reason=f"{type(error).__name__}: {error}") from error


def resolve(kind: str, policy: Any, **arguments: Any) -> Any:
    """Return the policy object that `policy` names, makes or is.

    Parameters
    ----------
    kind : {"placement", "failure_detector", "repair_order", "chunk_scheduler"}
    policy : str, class or object
        A registered name (made with those of the `arguments` that it takes), a class (made without), or an object.

    Raises
    ------
    InvalidOption
        When the name is not registered, the class can't be made, or the object lacks a method of the interface.
    """
    if isinstance(policy, str):
        known = POLICIES[kind]
        if policy not in known:
            raise InvalidOption(option=kind, value=repr(policy), reason=f"known are {', '.join(sorted(known))}")
        return known[policy](**{name: arguments[name] for name in asked_for(known[policy], arguments)})
    made = _made(kind, policy) if isinstance(policy, type) else policy
    missing = [method for method in _METHODS[kind] if not callable(getattr(made, method, None))]
    if missing:
        raise InvalidOption(option=kind, value=repr(policy), reason=f"it has no method {', '.join(missing)}()")
    return made


def _made(kind: str, policy: type[Any]) -> Any:
    try:
        return policy()
    except Exception as error:  # somebody else's code: its error is named and passed on
        reason = f"it can't be made without arguments ({type(error).__name__}: {error}); pass an object"
        raise InvalidOption(option=kind, value=repr(policy), reason=reason) from error
