"""What a worker may use, and how the operating system holds it to that.

    missing()                      # "" where the limits exist; else why they do not
    confine(limits, [snapshot])    # this process, for good

DuckDB has no boundary inside: whoever may ask it anything may do what its process may. So what
holds are the limits of the process; DuckDB's own settings (`session`) are the second layer.
"""

from __future__ import annotations

import os
import platform
import resource
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mesh.sql.landlock import keep_to, version
from mesh.sql.seccomp import ARCHITECTURES, filter_calls

__all__ = ["Limits", "allow_cpu", "confine", "missing"]

MB = 1_000_000
# Beside the snapshots: what Python and DuckDB hold.
OTHER_FILES = 16
# Behind every process of the mesh.
NICENESS = 5
LEAST_KERNEL = "Linux 5.13"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one query. *without* names those that a test has switched off.

    *memory_mb* is DuckDB's own limit, *space_mb* that of the whole process; *result_bytes* bounds
    what an answer may have.
    """

    space_mb: int = 1500
    memory_mb: int = 500
    cpu_s: int = 20
    clock_s: float = 60.0
    result_bytes: int = 1_000 * MB
    without: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Whether a limit is on."""
        return name not in self.without


def missing(system: str = sys.platform, machine: str | None = None) -> str:
    """Why the limits do not exist here, or nothing."""
    machine = machine or platform.machine()
    if system != "linux":
        return f"the limits for SQL of others exist on Linux alone, and this is {system}"
    if machine not in ARCHITECTURES:
        return f"there is no filter of system calls for {machine}: {' and '.join(ARCHITECTURES)}"
    if not version():
        return f"the kernel has no Landlock: it needs {LEAST_KERNEL} with `lsm=landlock`"
    return ""


def confine(limits: Limits, readable: Iterable[Path]) -> None:
    """Hold this process to *limits*; of files, it may read *readable*. Raises `OSError`."""
    os.nice(NICENESS)
    os.umask(0o077)
    files = tuple(readable)
    amounts = {
        "space": (resource.RLIMIT_AS, limits.space_mb * MB),
        "writes": (resource.RLIMIT_FSIZE, 0),
        "files": (resource.RLIMIT_NOFILE, OTHER_FILES + len(files)),
    }
    for name, (kind, amount) in amounts.items():
        if limits.has(name):
            resource.setrlimit(kind, (amount, amount))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A test may have us inherit that it is ignored.
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    if limits.has("landlock"):
        keep_to(files)
    if limits.has("seccomp"):
        filter_calls()


def allow_cpu(limits: Limits) -> None:
    """Give this process the CPU time of one more query; beyond it the kernel kills it."""
    if limits.has("cpu"):
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime) + 1
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (spent + limits.cpu_s, hard))
