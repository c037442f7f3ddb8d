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
from typing import TYPE_CHECKING, Any

from dfslab import cluster
from dfslab.client import Client, Download
from dfslab.core import errors
from dfslab.core.errors import DfsError
from dfslab.core.faults import Action
from dfslab.core.links import Link
from dfslab.core.model import FileInfo
from dfslab.lab.scenario import Scenario

if TYPE_CHECKING:
    from dfslab import bench, exercises, predict, samples, sim
    from dfslab.views.durability import durability_game
    from dfslab.views.replay import replay

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Client",
    "DfsError",
    "Download",
    "FileInfo",
    "Link",
    "Scenario",
    "__version__",
    "bench",
    "cluster",
    "durability_game",
    "errors",
    "exercises",
    "predict",
    "replay",
    "samples",
    "sim",
]
_WHEN_ASKED_FOR = {
    "bench": "dfslab.bench",
    "durability_game": "dfslab.views.durability:durability_game",
    "exercises": "dfslab.exercises",
    "predict": "dfslab.predict",
    "replay": "dfslab.views.replay:replay",
    "samples": "dfslab.samples",
    "sim": "dfslab.sim",
}


def __getattr__(name: str) -> Any:
    """Import what not everybody needs when it is first asked for: a module, or a name in it."""
    if name in _WHEN_ASKED_FOR:
        module, _, attribute = _WHEN_ASKED_FOR[name].partition(":")
        found = importlib.import_module(module)
        return getattr(found, attribute) if attribute else found
    raise AttributeError(f"module 'dfslab' has no attribute {name!r}")
