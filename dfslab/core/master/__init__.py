"""The master tracker's decisions."""

from dfslab.core.master.master import Master

__all__ = ["Master"]
