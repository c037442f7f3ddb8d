"""Where the figures were measured: a table without its machine says nothing."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def describe(folder: Path) -> dict[str, str]:
    """Return what the machine is, and what filesystem a folder is on."""
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": _first(r"^model name\s*:\s*(.+)$", "/proc/cpuinfo") or platform.machine(),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "filesystem": filesystem_of(folder, Path("/proc/mounts").read_text("utf-8")),
    }


def filesystem_of(folder: Path, mounts: str) -> str:
    """Return the type of the filesystem that a folder is on, given the text of /proc/mounts."""
    kinds = {Path(fields[1]): fields[2] for fields in (line.split() for line in mounts.splitlines())}
    where = folder.resolve()
    return next((kinds[parent] for parent in (where, *where.parents) if parent in kinds), "unknown")


def _first(pattern: str, path: str) -> str:
    found = re.search(pattern, Path(path).read_text("utf-8"), re.MULTILINE)
    return found[1] if found else ""
