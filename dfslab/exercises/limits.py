"""How long a submission may take, seconds of the wall clock; more on a slow or crowded machine.

An instructor whose server is crowded sets `DFSLAB_PATIENCE`, say to 4, in the environment of the kernels: all limits
are multiplied by it, also the 30 seconds within which a verdict comes.
"""

from __future__ import annotations

import os

PATIENCE = max(1.0, float(os.environ.get("DFSLAB_PATIENCE") or 1))
ANSWER_S = 2.0 * PATIENCE
"""How long one answer may take."""
START_S = 10.0 * PATIENCE
"""How long a submission may take to be loaded."""
ALL_S = 24.0 * PATIENCE
"""How long all checks of an exercise may take together."""
DEADLINE_S = 29.0 * PATIENCE
"""When a judge that has not answered is given up."""
