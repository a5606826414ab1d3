"""How fast the audit log is: hashing and tree against SHA-256 alone, a log on disk, its proofs.

PYTHONPATH=platform python -m bench.audit [--entries N] [--rounds N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.measure import alternate, compare, peer, report, say
from mesh.audit.entry import ENTRY_BYTES, Columns, sealed
from mesh.audit.merkle import leaf_hashes, tree_hash
from mesh.audit.note import SigningKey
from mesh.audit.origin import LogName
from mesh.audit.store import Log
from mesh.audit.tiles import Growth, nodes_of

__all__ = ["main"]

BATCH = 10_000
NAME = LogName(mesh="bench", topic="pub.bench.v1", topic_id=bytes(16), partition=0)
KEY = SigningKey(name="bench", private=Ed25519PrivateKey.generate())
SHARED = [("ce_specversion", b"1.0"), ("ce_source", b"/customer-service/call-center/calls"),
          ("ce_type", b"pub.customer-service.call-center.calls.v1"),
          ("content-type", b"application/avro")]  # fmt: skip


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the log is written [a temporary one]")
    options = parser.parse_args()
    batch = messages(0, BATCH)
    entries, _ = sealed(batch, bytes(16), 0, needs_salt=True)
    sides = {
        "commitments, leaves and tree": lambda: clocked(lambda: sealed_and_grown(batch)),
        "leaves and tree": lambda: clocked(lambda: grown(entries)),
        "SHA-256 of the same openings": lambda: clocked(lambda: hashed(batch)),
    }
    found = compare(alternate(sides, options.rounds), dict.fromkeys(sides, BATCH))
    folder = Path(tempfile.mkdtemp(prefix="bench-audit-", dir=options.folder))
    try:
        path = folder / "entries-of-a-peer"
        path.write_bytes(entries)
        trees = {"tree": lambda: clocked(lambda: grown(entries)), "pymerkle": lambda: peer_of(path)}
        found["trees"] = compare(alternate(trees, options.rounds), dict.fromkeys(trees, BATCH))
        report("audit", {**found, "on_disk": on_disk(folder / "log", options.entries)})
    finally:
        shutil.rmtree(folder)


def messages(begin: int, count: int) -> Columns:
    """Messages as the call center publishes them, with eight headers; each text is its own."""
    numbers = range(begin, begin + count)
    random = os.urandom(32 * count)
    return Columns(
        offsets=list(numbers),
        timestamps_ms=list(numbers),
        headers=[headers(each, random[32 * at : 32 * at + 32]) for at, each in enumerate(numbers)],
        keys=[str(uuid4()).encode() for _ in numbers],
        values=[os.urandom(85 + each % 17) for each in numbers],
    )


def headers(number: int, salt: bytes) -> list[tuple[str, bytes]]:
    """The headers of a message as the client hands them out: no two share an object."""
    own = [("ce_id", b"pub.staging.calls.v1/0/%d/0" % number), ("ce_time", b"%027d" % number),
           ("traceparent", b"%055d" % number), ("salt", salt)]  # fmt: skip
    shared = [("".join([*name]), bytes(bytearray(value))) for name, value in SHARED]
    return [*shared, *(("".join([*name]), value) for name, value in own)]


def sealed_and_grown(batch: Columns) -> None:
    """All that is computed for a batch, but its signature."""
    grown(sealed(batch, bytes(16), 0, needs_salt=True)[0])


def grown(entries: bytes) -> None:
    """Leaves and tree of entries."""
    Growth(0, lambda *_: b"").add(leaf_hashes(entries, ENTRY_BYTES))


def hashed(batch: Columns) -> None:
    """The reference: a hash of some 400 bytes a message, and nothing else."""
    for value in batch.values:
        hashlib.sha256((value or b"") * 4).digest()


def clocked(work: object) -> float:
    """The seconds of CPU time that *work* takes."""
    begun = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - begun


def peer_of(path: Path) -> float:
    """The seconds of CPU time in which pymerkle makes the same tree; its root is ours."""
    said: dict[str, Any] = peer("merkle", "merkle_peer.py", {"entries": str(path), "size": 70})
    hashes = leaf_hashes(path.read_bytes(), ENTRY_BYTES)
    levels = Growth(0, lambda *_: b"").add(hashes)
    root = tree_hash(nodes_of(lambda level, *at: levels[level][32 * at[0] : 32 * at[1]]), BATCH)
    assert said["root"] == root.hex()  # noqa: S101 - or it would be another tree
    return float(said["seconds"])


def on_disk(folder: Path, count: int) -> dict[str, object]:
    """A log of *count* entries: written, opened anew, asked for proofs."""
    log, begun, cpu = Log(folder, NAME, KEY), 0.0, 0.0
    for start in range(0, count, BATCH):
        batch = messages(start, min(BATCH, count - start))
        at, at_cpu = time.perf_counter(), time.process_time()
        log.add(batch, needs_salt=True)
        begun, cpu = begun + time.perf_counter() - at, cpu + time.process_time() - at_cpu
        if start % 1_000_000 == 0:
            say(f"{start:,} entries after {begun:.0f} s")
    log.close()
    at = time.perf_counter()
    log = Log(folder, NAME, KEY)
    opened_s = time.perf_counter() - at
    times, cpu_times = (sorted(each) for each in zip(*proof_times(log, count), strict=True))
    at = time.perf_counter()
    found = log.openings.of(batch.keys[0] or b"", log.size)
    history_s = time.perf_counter() - at
    assert len(found) == 1  # noqa: S101 - or there is nothing to compare
    sizes = {each.name: each.stat().st_size / count for each in folder.iterdir()}
    log.close()
    return {
        "entries": count,
        "entries_per_s": round(count / begun),
        "entries_per_cpu_s": round(count / cpu),
        "opened_after_s": round(opened_s, 3),
        "proof_p50_ms": round(times[len(times) // 2] * 1000, 2),
        "proof_p99_ms": round(times[len(times) * 99 // 100] * 1000, 2),
        "proof_cpu_p99_ms": round(cpu_times[len(times) * 99 // 100] * 1000, 2),
        "history_of_a_key_ms": round(history_s * 1000, 1),
        "bytes_a_message": {name: round(each) for name, each in sizes.items() if each >= 0.5},
    }


def proof_times(log: Log, count: int) -> Iterator[tuple[float, float]]:
    """How long each of 2,000 proofs takes, and of it in CPU time; all over the log, opened."""
    for number in range(2_000):
        at, at_cpu = time.perf_counter(), time.thread_time()
        log.proof(number * 7_919_993 % count, is_opened=True)
        yield time.perf_counter() - at, time.thread_time() - at_cpu


if __name__ == "__main__":
    main()
