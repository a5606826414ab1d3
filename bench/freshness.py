"""How old a call is when it is visible in the product's storage, and when it is on its port.

    python -m bench.freshness [--seconds S] [--rounds N]

Three processes, one clock: a telephony system at a steady rate, the product, and a reader that
sees committed messages only. A call's `started_at` is the moment at which it was produced.
"""

from __future__ import annotations

import argparse
import multiprocessing
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, Producer, TopicPartition

from bench.measure import median, report, say
from bench.stage import CALLS, PRODUCT, STAGING, opened, registered, running
from mesh.backbone.avro import Decoder
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.wire import unframe
from mesh.contract.project import load_project
from mesh.contract.types import arrow_schema, avro_schema
from mesh.home import Home
from mesh.product.plan import plan_product
from mesh.product.runtime import Runtime
from mesh.product.storage import Storage
from mesh.testing import Workbench

__all__ = ["main"]

RATES = (1_000, 10_000)
TICK_S = 0.005
# Of each run, what is left out at its start.
WARM = 0.2
Task = Mapping[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found: dict[str, object] = {}
    with running() as backbone:
        for rate in RATES:
            rounds = []
            for _ in range(options.rounds):
                with opened(backbone) as bench:
                    rounds.append(one_round(bench, rate, options.seconds))
                say(f"{rate}/s: {rounds[-1]}")
            found[f"{rate}/s"] = {
                name: round(median([each[name] for each in rounds]), 1) for name in rounds[0]
            }
    report("freshness", {"milliseconds": found, "rounds": options.rounds})


def one_round(bench: Workbench, rate: int, seconds: float) -> dict[str, float]:
    """Milliseconds at the median and the 99th percentile, of both."""
    task = {
        "root": str(bench.root),
        "home": str(bench.home.path),
        "servers": bench.backbone.endpoint.bootstrap_servers,
        "registry": bench.backbone.endpoint.registry_url,
        "reader": (bench.backbone.admin.name, bench.backbone.admin.secret),
        "mechanism": bench.backbone.admin_mechanism,
        "rate": rate,
        "seconds": seconds,
    }
    spawn = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for work in (product, reader):
        mine, theirs = spawn.Pipe()
        process = spawn.Process(target=work, args=(task, theirs))
        process.start()
        theirs.close()  # else nobody would know that it has died
        assert mine.recv() == "ready"  # noqa: S101 - the order of the parts
        pipes.append(mine)
        processes.append(process)
    produce(bench, rate, seconds)
    time.sleep(1)
    for pipe in pipes:
        pipe.send("stop")
    visible, said = (pipe.recv() for pipe in pipes)
    for process in processes:
        process.join()
    return {**percentiles("visible", visible), **percentiles("published", said)}


def percentiles(name: str, ages_ms: Sequence[float]) -> dict[str, float]:
    """Of what came after the warm-up."""
    steady = np.array(ages_ms[int(len(ages_ms) * WARM) :])
    return {f"{name}_p{p}": round(float(np.percentile(steady, p)), 1) for p in (50, 99)}


def produce(bench: Workbench, rate: int, seconds: float) -> None:
    """Send calls at *rate* a second, each stamped when it is handed over."""
    contract, system = bench.staging(PRODUCT)
    publisher, _, _ = registered(bench, STAGING)
    client = bench.backbone.endpoint.client(system)
    producer = Producer({**client, "linger.ms": 0, "compression.type": "lz4"})
    began, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        due = int(passed * rate) - sent
        if due:
            keys, values = made(publisher.values, arrow_schema(contract), due)
            for key, value in zip(keys, values, strict=True):
                producer.produce(contract.topic, value, key)
            sent += due
        producer.poll(0)
        time.sleep(TICK_S)
    producer.flush()


def made(values: Any, schema: pa.Schema, count: int) -> tuple[list[str], list[bytes]]:
    """So many calls that start and end now."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    now = pa.repeat(pa.scalar(time.time_ns() // 1000, pa.int64()), count)
    now = now.cast(pa.timestamp("us", tz="UTC"))
    given: dict[str, list[Any]] = {"call_id": ids, "duration_s": [0] * count}
    given |= {"phone_number": ["+12015550101"] * count, "queue": ["billing"] * count}
    columns = [
        now if name.endswith("_at") else pa.array(given.get(name, [None] * count), type_)
        for name, type_ in zip(schema.names, schema.types, strict=True)
    ]
    return ids, values(pa.Table.from_arrays(columns, schema=schema)).to_pylist()


def product(task: Task, pipe: Connection) -> None:
    """The call center's runtime; the age of each call when its batch is committed."""
    project = load_project(Path(task["root"]))
    home, plan = Home.open(Path(task["home"])), plan_product(project, PRODUCT)
    storage = Storage.open(home.storage(PRODUCT), plan.tables)
    runtime = Runtime(
        plan,
        storage,
        endpoint=Endpoint(bootstrap_servers=task["servers"], registry_url=task["registry"]),
        principal=Principal(name=PRODUCT, secret=home.secret(PRODUCT)),
    )
    while runtime.progress.state != "running":
        runtime.step(0.1)
    ages: list[float] = []
    engine = runtime._running_engine()
    take_in = engine.take_in

    def timed(arrivals: Any, *rest: Any, **named: Any) -> Any:
        done = take_in(arrivals, *rest, **named)
        now = time.time_ns() // 1000
        for each in arrivals:
            started = each.rows["started_at"].cast(pa.int64()).to_numpy()
            ages.extend((now - started) / 1000)
        return done

    engine.take_in = timed  # type: ignore[method-assign]  # the runtime has no clock of its own
    stop = threading.Event()
    work = threading.Thread(target=runtime.run, args=(stop,))
    pipe.send("ready")
    work.start()
    pipe.recv()
    stop.set()
    work.join()
    storage.close()
    pipe.send(ages)


def reader(task: Task, pipe: Connection) -> None:
    """A reader of the port; the age of each call when it comes."""
    contract = load_project(Path(task["root"])).contract(CALLS)
    decoder = Decoder(avro_schema(contract))
    name, secret = task["reader"]
    endpoint = Endpoint(bootstrap_servers=task["servers"], registry_url=task["registry"])
    consumer = Consumer(
        {
            **endpoint.client(Principal(name=name, secret=secret), task["mechanism"]),
            "group.id": "bench.freshness",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.assign([TopicPartition(contract.topic, n, 0) for n in range(contract.partitions)])
    consumer.poll(1.0)
    ages: list[float] = []
    pipe.send("ready")
    while not pipe.poll():
        first = consumer.poll(0.1)
        if first is None:
            continue
        messages = [first, *consumer.consume(1000, 0)]
        now = time.time_ns() // 1000
        payloads = [unframe(each.value() or b"") for each in messages if each.error() is None]
        rows = decoder.decode([each[1] for each in payloads if isinstance(each, tuple)]).table
        ages.extend((now - rows["started_at"].cast(pa.int64()).to_numpy()) / 1000)
    consumer.close()
    pipe.send(ages)


if __name__ == "__main__":
    main()
