"""A data keeper's decisions."""

from dfslab.core.keeper.keeper import Keeper

__all__ = ["Keeper"]
