"""The client: upload, download, list, stat, delete, rename, from the cluster's process or another one."""

from dfslab.client.client import Client
from dfslab.client.results import Download

__all__ = ["Client", "Download"]
