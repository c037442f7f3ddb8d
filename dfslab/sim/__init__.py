"""The same cores under a virtual clock: whole histories of a cluster in trouble, each made from one seed.

>>> from dfslab import sim
>>> outcome = sim.simulate(sim.Settings(seed=42, steps=2000))
>>> outcome.broken is None, outcome.acknowledged > 0
(True, True)
"""

from dfslab.sim.shrink import shrink
from dfslab.sim.simulation import Outcome, Settings, simulate
from dfslab.sim.story import story_of
from dfslab.sim.sweep import Tally

__all__ = ["Outcome", "Settings", "Tally", "shrink", "simulate", "story_of"]
