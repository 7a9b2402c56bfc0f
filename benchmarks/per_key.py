"""Models per key: events a second, and what checkpoints cost, against the number of keys.

The stream of every benchmark, with a key drawn evenly; a scaler and a logistic regression, labels
inside. A worker reads the embedded log to its end, from a store in a file, with models of at most
``IN_MEMORY`` keys in memory; monitor off, so that keys are what is measured. The losses on real
streams are those of ``python -m benchmarks.per_key_losses``.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from benchmarks.processes import resident_megabytes
from benchmarks.streams import rows
from stream.build import line_factory
from stream.clock import SystemClock
from stream.config import Config
from stream.logs.open_log import open_log
from stream.records import NewRecord
from stream.storage.store import Store
from stream.worker import open_worker

PIPELINE = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"
KEYS = (0, 10, 1_000, 10_000, 50_000)
IN_MEMORY = 10_000


def measure(keys: int, events: int, in_memory: int) -> dict[str, Any]:
    """Return what a worker took for so many events of so many keys; of none without keys."""
    with TemporaryDirectory(prefix="riverrun-") as folder:
        config = _config(Path(folder), keys, in_memory)
        with closing(open_log(config.stream.broker)) as log:
            log.create_topics(dict.fromkeys(config.topic_names, 1))
            draw = random.Random(1)
            made = [row | {"key": f"k{draw.randrange(max(1, keys))}"} for row in rows(events)]
            log.sink().append(
                [NewRecord(config.events_topic, None, msgspec.json.encode(row)) for row in made]
            ).offsets()
            with closing(Store(config.stream.store, "bench")) as store:
                worker = open_worker(config, log, store, line_factory(config), SystemClock())
                worker.start()
                started = time.perf_counter()
                worker.run(lambda: False, until_caught_up=True)
                seconds = time.perf_counter() - started
                spent = worker.telemetry.told()
                newest = store.newest()
                assert newest is not None
                told = newest.status["keys"] or {}
                return {
                    "keys": keys or "no keys",
                    "events": events,
                    "events_per_second": round(events / seconds),
                    "checkpoints": spent["checkpoints"],
                    "checkpoint_share": round(spent["stages"]["checkpoint"] / seconds, 3),
                    "crowded": told.get("crowded_checkpoints", 0),
                    "in_memory": told.get("in_memory", 0),
                    "loads": told.get("loads", 0),
                    "store_mb": round(store.size_bytes() / 1e6, 1),
                    "memory_mb": round(resident_megabytes(spent["pid"])),
                }


def _config(folder: Path, keys: int, in_memory: int) -> Config:
    model: dict[str, Any] = {"task": "binary", "pipeline": PIPELINE, "metrics": ["LogLoss"]}
    features = [f"f{i}" for i in range(8)]
    if keys:
        model |= {"per": "key", "per_in_memory": in_memory, "per_min_events": 1}
        features.append("key")
    return Config(
        stream={
            "name": "bench",
            "broker": f"sqlite:///{folder}/log.db",
            "store": f"sqlite:///{folder}/store.db",
        },
        event={"id": "id", "time": "time", "label": "label", "features": features},
        model=model,
        monitor={"enabled": False},
        retrain={"enabled": False},
    )


def main() -> None:
    """Measure each number of keys, and write the table."""
    from benchmarks.__main__ import markdown

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--in-memory", type=int, default=IN_MEMORY)
    parser.add_argument("--keys", type=int, nargs="*", default=KEYS)
    asked = parser.parse_args()
    table = [measure(keys, asked.events, asked.in_memory) for keys in asked.keys]
    sys.stdout.write(markdown(table))


if __name__ == "__main__":
    main()
