"""Benchmarks to run, draw and save: `dfslab.bench.parallel_download()` and the others.

Each starts clusters of its own, which it closes again, and returns a `Runs`: a DataFrame of one row
a run, with its settings, what was measured and what was predicted, that has a `plot()` and a `save()`.

>>> import dfslab
>>> runs = dfslab.bench.upload(ack_replicas=(1, 2), sizes_mb=(0.5,), repeats=1, progress=False)
>>> sorted(runs.ack_replicas)
[1, 2]
"""

from dfslab.lab.bench.downloads import parallel_download, schedulers
from dfslab.lab.bench.repairs import repair
from dfslab.lab.bench.runs import Runs, load
from dfslab.lab.bench.uploads import upload

__all__ = ["Runs", "load", "parallel_download", "repair", "schedulers", "upload"]
