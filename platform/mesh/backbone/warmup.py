"""Makes the AOT caches of Kafka and the registry, on this machine and in the background.

    python -m mesh.backbone.warmup --cache DIR

A scratch Kafka, then a scratch registry, do a little of what they will have to do while Java
records what it loads; a third and fourth JVM then write the caches. They get their names by a
rename when they are whole, so that being killed at any moment leaves only a temporary folder,
which the next run removes.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from mesh.backbone import registry_server, workload
from mesh.backbone.artifacts import Artifacts, install
from mesh.backbone.jvm import Program, aot_cache, java_command
from mesh.backbone.kafka_server import KafkaServer, kafka_program, prepare
from mesh.backbone.process import Command, free_port, last_lines, spawn, stop
from mesh.backbone.registry_server import RegistryServer, registry_program
from mesh.errors import BackboneError, MeshError

__all__ = ["drop_damaged", "environment", "is_warm", "main", "warm"]

_START_S = 180.0  # idle priority on a busy laptop
_STOP_S = 60.0
_UNUSED_S = 30 * 24 * 3600.0


def is_warm(cache: Path, artifacts: Artifacts) -> bool:
    """Say whether both caches are there and whole."""
    return all(_is_whole(aot_cache(cache, program)) for program in _programs(artifacts))


def drop_damaged(cache: Path, program: Program) -> None:
    """Remove a cache that is not as it was made: Java does not notice every damage."""
    file = aot_cache(cache, program)
    if not _is_whole(file):
        with contextlib.suppress(OSError):
            file.unlink()


def environment() -> dict[str, str]:
    """What this module needs from the environment to run as a process of its own."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }


def warm(cache: Path, artifacts: Artifacts) -> None:
    """Make what is missing; returns at once where another process is at it.

    Raises BackboneError where a server does not start, OSError where the disk fails.
    """
    with _alone(cache) as alone:
        if not alone:
            return
        for old in cache.glob("warmup-*"):
            shutil.rmtree(old, ignore_errors=True)
        for program, train in zip(_programs(artifacts), (_kafka, _registry), strict=True):
            if not _is_whole(aot_cache(cache, program)):
                with tempfile.TemporaryDirectory(dir=cache, prefix="warmup-") as folder:
                    _make(cache, artifacts, Path(folder), train)
        _forget(cache)


def _programs(artifacts: Artifacts) -> tuple[Program, Program]:
    # The ports do not matter for a cache: they stand in the environment.
    anywhere = RegistryServer(port=0, management_port=0)
    return kafka_program(artifacts.jars), registry_program(artifacts.registry_home, anywhere)


_Trained = tuple[Program, Callable[[], bool], Callable[[], None]]
_Train = Callable[[Artifacts, Path], _Trained]


def _kafka(artifacts: Artifacts, folder: Path) -> _Trained:
    server = KafkaServer(
        folder=folder,
        port=free_port(),
        controller_port=free_port(),
        secret=secrets.token_urlsafe(32),
    )
    prepare(server)
    use = workload.KafkaUse(server)
    return kafka_program(artifacts.jars), use.is_ready, use.run


def _registry(artifacts: Artifacts, folder: Path) -> _Trained:
    (folder / "tmp").mkdir()
    server = RegistryServer(port=free_port(), management_port=free_port())
    return (
        registry_program(artifacts.registry_home, server),
        lambda: registry_server.is_ready(server),
        lambda: workload.use_registry(server),
    )


def _make(cache: Path, artifacts: Artifacts, folder: Path, train: _Train) -> None:
    """Record one program at work, then write its cache.

    Two JVMs of our own rather than `-XX:AOTCacheOutput`, whose second JVM is a child of the
    first and would outlive us.
    """
    program, is_ready, use = train(artifacts, folder)
    log = folder / "log"
    record = folder / "recorded.aotconf"
    draft = folder / "made.aot"
    recording = ("-XX:AOTMode=record", f"-XX:AOTConfiguration={record}")
    process = spawn(_idle(java_command(program, folder, log, recording)))
    try:
        _await(process, is_ready, log)
        use()
        stop(process, _STOP_S)  # writes the record while it ends
    except BaseException:
        stop(process, 0)
        raise
    creating = ("-XX:AOTMode=create", f"-XX:AOTConfiguration={record}", f"-XX:AOTCache={draft}")
    process = spawn(_idle(java_command(program, folder, log, creating)))
    try:
        code = process.wait()
    finally:
        stop(process, 0)
    if code != 0 or not draft.exists():
        raise BackboneError(f"no AOT cache of {program.name} was made: {_end_of(log)}")
    target = aot_cache(cache, program)
    target.parent.mkdir(exist_ok=True)
    with draft.open("rb") as file:
        os.fsync(file)  # before it gets its name: a power cut may not leave holes in it
    _stamp(target).write_text(_fingerprint(draft))
    draft.replace(target)


def _idle(command: Command) -> Command:
    return Command(argv=command.argv, env=command.env, cwd=command.cwd, log=command.log, nice=19)


def _await(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + _START_S
    while not is_ready():
        if process.poll() is not None or time.monotonic() > end:
            raise BackboneError(f"a scratch server did not start: {_end_of(log)}")
        time.sleep(0.2)


def _end_of(log: Path) -> str:
    return " | ".join(last_lines(log, 3)) or "it said nothing"


def _is_whole(file: Path) -> bool:
    try:
        return _stamp(file).read_text() == _fingerprint(file)
    except OSError:
        return False


def _stamp(file: Path) -> Path:
    return file.with_suffix(".stamp")


def _fingerprint(file: Path) -> str:
    status = file.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _forget(cache: Path) -> None:
    """Remove what no Java or jar of the last month asked for."""
    for file in (cache / "aot").iterdir():
        with contextlib.suppress(OSError):
            status = file.stat()
            if time.time() - max(status.st_atime, status.st_mtime) > _UNUSED_S:
                file.unlink()


@contextmanager
def _alone(cache: Path) -> Iterator[bool]:
    with (cache / "warmup.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def main() -> int:
    """Make the caches of the jars that are installed; one line on standard error if it can't."""
    parser = argparse.ArgumentParser(prog="mesh.backbone.warmup")
    parser.add_argument("--cache", type=Path, required=True)
    cache: Path = parser.parse_args().cache.absolute()
    signal.signal(signal.SIGTERM, _end)
    os.nice(19)
    try:
        warm(cache, install(cache, None, lambda _what, _done, _total: None, offline=True))
    except (MeshError, OSError) as error:
        print(f"the AOT caches were not made: {error}", file=sys.stderr)  # noqa: T201  # a log line
        return 1
    return 0


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signal.SIGTERM)  # runs every `finally`, which ends the JVMs


if __name__ == "__main__":
    sys.exit(main())
