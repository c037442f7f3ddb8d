"""dfslab: a complete distributed file system in a notebook cell.

>>> import dfslab
>>> cluster = dfslab.cluster.start(n=6, name="package-example")
>>> cluster.upload(b"to be stored three times", name="hello.txt").name
'hello.txt'
>>> cluster.close()

What a name stands for is imported when it is first used, so that `import dfslab` takes no time and a process of a node
or of a submission loads what it needs; pandas, matplotlib and ipywidgets come with the first table, picture or widget.

gRPC reads two settings when it is first imported, so they are made here: its C core writes to stderr when a peer dies
(in a graded notebook that fails the student) and when a process forks (as `!ls` in a cell does). What went wrong
reaches people as an exception or a line in the trace.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dfslab import bench, cluster, exercises, predict, samples, sim
    from dfslab.client import Client, Download
    from dfslab.core import errors
    from dfslab.core.errors import DfsError
    from dfslab.core.faults import Action
    from dfslab.core.links import Link
    from dfslab.core.model import FileInfo
    from dfslab.lab.scenario import Scenario
    from dfslab.views.durability import durability_game
    from dfslab.views.replay import replay

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

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
_WHERE = {
    "Action": "dfslab.core.faults:Action",
    "Client": "dfslab.client:Client",
    "DfsError": "dfslab.core.errors:DfsError",
    "Download": "dfslab.client:Download",
    "FileInfo": "dfslab.core.model:FileInfo",
    "Link": "dfslab.core.links:Link",
    "Scenario": "dfslab.lab.scenario:Scenario",
    "bench": "dfslab.bench",
    "cluster": "dfslab.cluster",
    "durability_game": "dfslab.views.durability:durability_game",
    "errors": "dfslab.core.errors",
    "exercises": "dfslab.exercises",
    "predict": "dfslab.predict",
    "replay": "dfslab.views.replay:replay",
    "samples": "dfslab.samples",
    "sim": "dfslab.sim",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: a module, or a name in one. From then on it is an attribute like any other."""
    if name not in _WHERE:
        raise AttributeError(f"module 'dfslab' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    found = importlib.import_module(module)
    globals()[name] = value = getattr(found, attribute) if attribute else found
    return value


def __dir__() -> list[str]:
    """Name what there is, also what has not been asked for."""
    return sorted({*globals(), *__all__})
