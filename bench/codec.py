"""How fast the Avro codec is against fastavro, row by row, on call records.

The two take turns in each round, so that a busy machine slows both; the ratio is the median of
the rounds' ratios, in CPU seconds of this process.

    PYTHONPATH=platform python bench/codec.py [--rows N] [--rounds N] [--json]
"""

from __future__ import annotations

import argparse
import io
import json
import random
import statistics
import time
import uuid
from collections.abc import Callable
from typing import Any

import fastavro
import pyarrow as pa

from mesh.backbone.avro import Decoder, Encoder

__all__ = ["main"]

TEXT, TIME = "string", {"type": "long", "logicalType": "timestamp-micros"}
SCHEMA: dict[str, object] = {
    "type": "record",
    "name": "Calls",
    "fields": [
        {"name": "call_id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "phone_number", "type": TEXT},
        {"name": "queue", "type": TEXT},
        {"name": "agent_id", "type": ["null", TEXT], "default": None},
        {"name": "reason", "type": ["null", TEXT], "default": None},
        {"name": "started_at", "type": TIME},
        {"name": "ended_at", "type": TIME},
        {"name": "duration_s", "type": "long"},
    ],
}
# fastavro at its best: plain integers and text, no datetime or UUID objects to build.
PLAIN = json.loads(json.dumps(SCHEMA).replace("logicalType", "x-logicalType"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = measure(options.rows, options.rounds)
    if options.json:
        print(json.dumps(results))  # noqa: T201 - a benchmark's result
        return
    print(f"{'':8}{'ours rows/s':>14}{'fastavro rows/s':>18}{'ratio':>8}")  # noqa: T201 - the same
    for name, r in results.items():
        print(f"{name:8}{r['ours']:14,.0f}{r['fastavro']:18,.0f}{r['ratio']:8.1f}")  # noqa: T201


def measure(count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return rows a CPU second of both, and the ratio, for encoding and for decoding."""
    rows = call_records(count)
    encoder, decoder = Encoder(SCHEMA), Decoder(SCHEMA)
    table = pa.table({name: [row[name] for row in rows] for name in rows[0]})
    table = table.cast(decoder.decode([]).table.schema)
    plain = fastavro.parse_schema(PLAIN)
    payloads = [value[5:] for value in encoder.encode(table, 1)]
    if payloads != _written(plain, rows) or not decoder.decode(payloads).table.equals(table):
        raise SystemExit("the codecs differ: no use in comparing their speed")
    return {
        "encode": _alternate(
            lambda: encoder.encode(table, 1), lambda: _written(plain, rows), count, rounds
        ),
        "decode": _alternate(
            lambda: decoder.decode(payloads), lambda: _read(plain, payloads), count, rounds
        ),
    }


def call_records(count: int) -> list[dict[str, object]]:
    """Return *count* made-up calls, always the same."""
    dice = random.Random(1)  # noqa: S311 - not for secrets
    rows: list[dict[str, object]] = []
    for _ in range(count):
        duration = dice.randrange(3_600)
        start = 1_700_000_000_000_000 + dice.randrange(10**13)
        rows.append(
            {
                "call_id": str(uuid.UUID(int=dice.getrandbits(128))),
                "phone_number": f"+1{dice.randrange(200, 1000)}5550{dice.randrange(100, 200)}",
                "queue": dice.choice(["billing", "porting", "technical", "general"]),
                "agent_id": dice.choice([None, f"agent-{dice.randrange(500)}"]),
                "reason": dice.choice([None, "the invoice is wrong", "no signal"]),
                "started_at": start,
                "ended_at": start + duration * 1_000_000,
                "duration_s": duration,
            }
        )
    return rows


def _written(schema: Any, rows: list[dict[str, object]]) -> list[bytes]:
    values = []
    for row in rows:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, row)
        values.append(out.getvalue())
    return values


def _read(schema: Any, payloads: list[bytes]) -> list[object]:
    return [fastavro.schemaless_reader(io.BytesIO(one), schema, None) for one in payloads]


def _alternate(
    ours: Callable[[], object], theirs: Callable[[], object], count: int, rounds: int
) -> dict[str, float]:
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(rounds)]
    return {
        "ours": count / statistics.median(a for a, _ in pairs),
        "fastavro": count / statistics.median(b for _, b in pairs),
        "ratio": statistics.median(b / a for a, b in pairs),
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
