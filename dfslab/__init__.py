"""dfslab: a complete distributed file system in a notebook cell.

>>> import dfslab
>>> cluster = dfslab.cluster.start(n=6, name="package-example")
>>> cluster.upload(b"to be stored three times", name="hello.txt").name
'hello.txt'
>>> cluster.close()

`cluster` and `client` are imported with the package, so that starting a cluster takes milliseconds;
pandas, matplotlib and ipywidgets only when a table, a picture or a widget is asked for.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from dfslab import cluster
from dfslab.client import Client, Download
from dfslab.core import errors
from dfslab.core.errors import DfsError
from dfslab.core.links import Link
from dfslab.core.model import FileInfo

if TYPE_CHECKING:
    from dfslab import predict, samples

__version__ = "0.1.0"

__all__ = [
    "Client",
    "DfsError",
    "Download",
    "FileInfo",
    "Link",
    "__version__",
    "cluster",
    "errors",
    "predict",
    "samples",
]
_WHEN_ASKED_FOR = ("predict", "samples")


def __getattr__(name: str) -> ModuleType:
    """Import the modules that not everybody needs when they are first asked for."""
    if name in _WHEN_ASKED_FOR:
        return importlib.import_module(f"dfslab.{name}")
    raise AttributeError(f"module 'dfslab' has no attribute {name!r}")
