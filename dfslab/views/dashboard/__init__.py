"""The dashboard: a cluster, or a saved trace, to look at and to play with in a notebook.

`observed` folds the trace as it comes; `views` shows what was observed, part by part (`topology`,
`lookup`, `timeline`, `throughput`, `parts`, `slider`); `acting` has the buttons (`panel`, `files`),
whose jobs `work` does on threads of its own. Nothing here reaches into a server: looking goes through
a `Source`, acting through `Controls`.
"""

from dfslab.views.dashboard.controls import Controls
from dfslab.views.dashboard.dashboard import Dashboard

__all__ = ["Controls", "Dashboard"]
