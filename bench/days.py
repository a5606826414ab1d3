"""A day of files, checked by its contract and published: how long, and in how much memory.

    python -m bench.days [--rows N]

All of it is one process, the simulation of the files too, so that its peak is what is seen.
Nothing is announced: that is one message a day.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from bench.measure import report
from company.network import Network
from mesh.product.landing import LANDING
from tests.days import SEED, Port, day

__all__ = ["main"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        report("days", measure(Path(name), options.rows))


def measure(folder: Path, rows: int) -> dict[str, object]:
    """One day of *rows* that lands and is published."""
    begun = time.monotonic()
    land(folder / LANDING, rows)
    landed, used = time.monotonic(), time.process_time()
    (found,) = Port(folder).run(day(0))["published"]
    return {
        "rows": found["rows"],
        "quarantined": sum(found["quarantined"].values()),
        "size_mb": found["size_bytes"] // 1_000_000,
        "simulated_s": round(landed - begun, 1),
        "published_s": round(time.monotonic() - landed, 1),
        "published_cpu_s": round(time.process_time() - used, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def land(folder: Path, rows: int) -> None:
    """Write the delivery of the first day, in pieces."""
    folder.mkdir(parents=True)
    writers: dict[str, pq.ParquetWriter] = {}
    for batch in Network(per_day=rows).batches(SEED, rows):
        for name, table in batch.items():
            if name.endswith(".gateway"):
                if name not in writers:
                    path = folder / f"{name}.parquet"
                    writers[name] = pq.ParquetWriter(path, table.schema, compression="zstd")
                writers[name].write_table(table)
    for writer in writers.values():
        writer.close()


if __name__ == "__main__":
    main()
