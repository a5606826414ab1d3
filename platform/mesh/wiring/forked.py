"""The program that the processes of a mesh are forked from: it has imported what they need.

It starts nothing and knows no secret; each fork becomes `python -m` of what it is asked for.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import runpy
import socket
import sys
from pathlib import Path
from typing import Any

import duckdb

from mesh.backbone.forking import serve
from mesh.lean import keep_out_pandas
from mesh.wiring.joining import has_catalogue

__all__ = ["become", "check_alone", "warm_up"]

OURS = (
    "mesh.cli.main",
    "mesh.cli.run",
    "mesh.wiring.access",
    "mesh.wiring.audit",
    "mesh.wiring.batch",
    "mesh.wiring.product",
    "mesh.wiring.sql",
)
# What others import only when they are used, and every process uses.
LATE = (
    "anyio._backends._asyncio",
    "httpcore",
    "jsonschema_rs",
    "pydantic.v1",
    "uvicorn.lifespan.off",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "mesh.contract.yamlbuilder",
)
PR_SET_NAME = 15


def warm_up() -> None:
    """Import what the services and products of a mesh run on."""
    keep_out_pandas()
    for each in (*OURS, *LATE, *(("catalog.service",) if has_catalogue() else ())):
        importlib.import_module(each)
    # DuckDB opens a database of its own when it is imported, which has a thread.
    duckdb.close()


def check_alone(tasks: Path = Path("/proc/self/task")) -> None:
    """End here where a library has started a thread: a fork would not have it, and wait for it."""
    if (count := len(list(tasks.iterdir()))) > 1:
        sys.exit(f"mesh: of {count} threads a fork has one, so each process imports for itself")


def become(asked: dict[str, Any], log: int) -> None:
    """Be `python -m` of *asked*, with a session, folder, environment and log of its own."""
    module, *arguments = asked["arguments"]
    os.setsid()
    for output in (1, 2):
        os.dup2(log, output)
    os.close(log)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    # What `ps -e` and `top` show; the command line is that of the program we were.
    name = (arguments or [module])[-1].encode()
    ctypes.CDLL(None).prctl(PR_SET_NAME, name, 0, 0, 0)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    control = socket.socket(fileno=int(sys.argv[1]))
    warm_up()
    check_alone()
    document, (descriptor,) = serve(control)
    become(document, descriptor)
