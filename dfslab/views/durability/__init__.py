"""The durability game: keep a fleet's files for a year, at the least cost."""

from dfslab.views.durability.design import Design, Tried
from dfslab.views.durability.game import DurabilityGame, durability_game

__all__ = ["Design", "DurabilityGame", "Tried", "durability_game"]
