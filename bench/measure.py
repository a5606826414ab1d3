"""What all measurements share: sides that take turns, medians, the machine, peers' environments.

A side is a function that returns the seconds that its work took, so that each keeps its
preparation outside the clock. Not here: what is measured.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

__all__ = ["alternate", "compare", "machine", "median", "peer", "report"]

HERE = Path(__file__).parent
RESULTS = HERE / "results"
OURS = ("confluent-kafka", "duckdb", "pyarrow", "numpy")
# Peers have environments of their own: quixstreams caps confluent-kafka.
PEERS: Mapping[str, Sequence[str]] = {
    "avro": ("confluent-kafka[avro,schemaregistry]==2.16.1", "pyarrow==26.0.1", "duckdb==1.5.6"),
    # A peer alone: it is under the GPL.
    "merkle": ("pymerkle==7.0.0",),
    "quix": ("quixstreams==3.28.1", "pyarrow==26.0.1", "duckdb==1.5.6"),
}


def alternate(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run every side once a round, in turns; the seconds of each."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        for name, side in sides.items():
            seconds[name].append(side())
            say(f"round {number} of {rounds}: {name} {seconds[name][-1]:.2f} s")
    return seconds


def compare(seconds: Mapping[str, Sequence[float]], rows: Mapping[str, int]) -> dict[str, object]:
    """Rows a second of each side, and how often faster the first is: medians of the rounds."""
    ours = next(iter(seconds))
    speed = {name: [rows[name] / each for each in found] for name, found in seconds.items()}
    return {
        "rows_per_s": {name: round(median(found)) for name, found in speed.items()},
        "ratio_to": {
            name: round(median([a / b for a, b in zip(speed[ours], found, strict=True)]), 2)
            for name, found in speed.items()
            if name != ours
        },
        "rounds": len(seconds[ours]),
    }


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def machine() -> dict[str, object]:
    """Where and with what it was measured."""
    return {
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "system": platform.platform(),
        **{name: version(name) for name in OURS},
    }


def peer(name: str, script: str, arguments: Mapping[str, object]) -> dict[str, float]:
    """Run `peers/SCRIPT` in the environment of its own, made at the first use; what it says."""
    # quixstreams leaves a folder where it is run.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [environment(name), str(HERE / "peers" / script)],
            # By the standard input: there are secrets in it.
            input=json.dumps(dict(arguments)),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            cwd=folder,
        )
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr[-3000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def environment(name: str) -> str:
    """The Python of a peer's environment."""
    folder = Path.home() / ".cache" / "mesh" / "bench" / name
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        say(f"making an environment for {name}")
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS[name]], check=True)
        (folder / "ready").touch()
    return str(python)


def report(name: str, result: Mapping[str, object]) -> None:
    """Print *result* and keep it beside the others, or in the folder `MESH_BENCH_RESULTS`."""
    document = {"what": name, **result, "machine": machine()}
    text = json.dumps(document, indent=2)
    folder = Path(os.environ.get("MESH_BENCH_RESULTS") or RESULTS)
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


def say(text: str) -> None:
    """Progress, apart from the result."""
    sys.stderr.write(text + "\n")
