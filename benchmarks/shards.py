"""Events per second of a divided stream, by one worker and by two, each pinned to a core.

``python -m benchmarks.shards`` starts the pinned Apache Kafka and a PostgreSQL of its own, four
partitions of events with their labels inside, and ``riverrun worker`` as it is. The workers share
the shards and stand still (SIGSTOP) while the events are appended; the time is from when they may
go on to the last checkpoint that was made. Broker, database and workers have the same cores: what
is lost to two workers is also what those take.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.brokers import LOCAL, brokers
from benchmarks.streams import PIPELINES, rows
from stream.log import Log
from stream.logs.open_log import open_log
from stream.records import NewRecord
from stream.sharding.read import is_read
from stream.storage.store import Store

SHARDS = 4
_PATIENCE = 600.0
_CONFIG = """\
[stream]
name = "{name}"
broker = "{broker}"
store = "{store}"
shards = "partition"
[event]
id = "id"
time = "time"
label = "label"
[model]
task = "binary"
pipeline = "{pipeline}"
[checkpoint]
share = 0.05
[retrain]
enabled = false
"""


def rate(
    folder: Path, broker: str, store_url: str, pipeline: str, workers: int, count: int
) -> float:
    """Return the events a second that so many workers take in together."""
    name = f"shards-{workers}-{time.time_ns()}"
    config = folder / f"{name}.toml"
    config.write_text(_CONFIG.format(name=name, broker=broker, store=store_url, pipeline=pipeline))
    topics = [f"{name}.{kind}" for kind in ("events", "labels", "predictions", "dead-letters")]
    with closing(open_log(broker)) as log, closing(Store(store_url, name)) as store:
        log.create_topics(dict.fromkeys(topics, SHARDS))
        with ExitStack() as running:
            processes = [
                running.enter_context(worker(config, core % (os.cpu_count() or 1)))
                for core in range(workers)
            ]
            _wait(lambda: _parts(store) == [SHARDS // workers] * workers)
            for process in processes:
                process.send_signal(signal.SIGSTOP)
            _produce(log, topics[0], count)
            began = time.time()
            for process in processes:
                process.send_signal(signal.SIGCONT)
            _wait(lambda: is_read(log, topics[:2], store.sharding))
            made = [one.newest.created_at for one in store.sharding.all() if one.newest]
            return count / (max(made) - began)


@contextmanager
def worker(config: Path, core: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``riverrun worker`` on one core; stop it afterwards."""
    command = ["taskset", "-c", str(core), sys.executable, "-m", "serve.cli", "worker"]
    command += ["--config", str(config), "--log-level", "error"]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _parts(store: Store) -> list[int]:
    return sorted(Counter(shard.owner for shard in store.sharding.all()).values())


def _produce(log: Log, topic: str, count: int) -> None:
    sink, batch = log.sink(), []
    for row in rows(count):
        batch.append(NewRecord(topic, str(row["id"]).encode(), msgspec.json.encode(row)))
        if len(batch) == 1_000:
            sink.append(batch)
            batch = []
    sink.append(batch)
    sink.flush()


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing happened in {_PATIENCE:.0f} s")
        time.sleep(0.1)


@contextmanager
def _store(named: str) -> Iterator[str]:
    if named != LOCAL:
        yield named
        return
    from tests.postgres import LocalPostgres

    server = LocalPostgres()
    server.start()
    try:
        yield server.url("shards")
    finally:
        server.stop()


def main() -> None:
    """Measure, and print a line of JSON for each pipeline and client."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", default=LOCAL, help="kafka://host:port, or local")
    parser.add_argument("--store", default=LOCAL, help="URL of a PostgreSQL, or local")
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="8,000 events, once")
    parser.add_argument("--only", default="", help="part of a pipeline's name")
    asked = parser.parse_args()
    count, repeats = (8_000, 1) if asked.quick else (asked.events, asked.repeats)
    with (
        tempfile.TemporaryDirectory() as folder,
        brokers(asked.kafka) as urls,
        _store(asked.store) as store,
    ):
        for url in urls:
            for name, pipeline in PIPELINES.items():
                if asked.only not in name:
                    continue
                found: dict[int, list[float]] = {1: [], 2: []}
                for _ in range(repeats):
                    for workers, rates in found.items():
                        rates.append(rate(Path(folder), url, store, pipeline, workers, count))
                one, two = median(found[1]), median(found[2])
                row = {"client": url.partition(":")[0], "pipeline": name, "events": count}
                row |= {"one": round(one), "two": round(two), "times": round(two / one, 2)}
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
