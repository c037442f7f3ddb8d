"""Every planted bug, by its name."""

from __future__ import annotations

from tests.planted.decision_bugs import DECISION_BUGS
from tests.planted.disk_bugs import DISK_BUGS
from tests.planted.master_bugs import MASTER_BUGS
from tests.planted.mutant import Mutant
from tests.planted.protocol_bugs import PROTOCOL_BUGS
from tests.planted.runtime_bugs import RUNTIME_BUGS

_ALL: tuple[Mutant, ...] = (*DISK_BUGS, *MASTER_BUGS, *PROTOCOL_BUGS, *DECISION_BUGS, *RUNTIME_BUGS)

MUTANTS: dict[str, Mutant] = {mutant.name: mutant for mutant in _ALL}

assert len(MUTANTS) == len(_ALL), "two mutants have one name"
