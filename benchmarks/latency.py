"""From an event's append to its prediction on the predictions topic, and from a label to learned.

`riverrun worker` runs in a process of its own with its defaults, and so does what produces: it
appends at a rate, whatever comes back (an open loop), and each event's time counts from the moment
at which it was due, not from when it was sent. The maximum is what the worker reads from a log that
is full; the loads are shares of it. `label_to_learned` is with nothing else to do, from a label's
append until a checkpoint that has learned it is in the store, which is when a crash cannot undo it
any more: most of it is the wait for the next one, which comes so seldom that all of them take 2 %
of the time, and every half a second at most.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from benchmarks.streams import PIPELINES, rows
from stream.log import Log
from stream.logs.open_log import open_log
from stream.records import NewRecord, TopicPartition
from stream.storage.store import Store

DOCS = Path(__file__).parents[1] / "docs"
PUBLISHED = """
For scale: StreamMLOps published 974 ms end to end, on a managed Kafka over a network. This is one
machine, so the two say little about each other.
"""
LOADS = (0.1, 0.5, 0.8)
_KINDS = ("events", "labels", "predictions", "dead-letters")
_TICK_SECONDS = 0.002
_PATIENCE_SECONDS = 60.0
_LABEL_SECONDS = 15.0
_CONFIG = """
[stream]
name = "{name}"
broker = "{broker}"
store = "sqlite:///{folder}/store.db"
[event]
id = "id"
label = "label"
[model]
task = "binary"
metrics = ["ROCAUC"]
pipeline = "{pipeline}"
[retrain]
enabled = false
"""


def encoded(count: int, prefix: str, labelled: bool = True) -> list[tuple[bytes, bytes]]:
    """Return keys and values of events; the number stands behind the prefix."""
    found = []
    for number, row in enumerate(rows(count)):
        del row["time"]  # that of the record counts
        if not labelled:
            del row["label"]
        key = f"{prefix}-{number}"
        found.append((key.encode(), msgspec.json.encode(row | {"id": key})))
    return found


def generate(broker: str, topic: str, prefix: str, rate: float, seconds: float, began: Any) -> None:
    """Append events when they are due; put the moment that the first one was."""
    log = open_log(broker)
    sink, count = log.sink(), int(rate * seconds)
    new = [NewRecord(topic, key, value) for key, value in encoded(count, prefix)]
    start = time.monotonic() + 0.2
    began.put(start)
    sent = 0
    while sent < count:
        due = min(count, int((time.monotonic() - start) * rate) + 1)
        if due > sent:
            sink.append(new[sent:due])
            sent = due
        time.sleep(_TICK_SECONDS)
    sink.flush()
    log.close()


class Watched:
    """A worker over a log, and what comes out of it.

    Parameters
    ----------
    log
        Its log; topics are made on it.
    folder
        For configuration and store.
    """

    def __init__(self, log: Log, broker: str, folder: Path) -> None:
        self.log = log
        self.broker = broker
        self.name = f"latency-{time.time_ns()}"
        self._folder = folder
        self._runs = 0
        log.create_topics({f"{self.name}.{kind}": 1 for kind in _KINDS})
        text = _CONFIG.format(
            name=self.name, broker=broker, folder=folder,
            pipeline=PIPELINES["scaler and logistic regression"],
        )  # fmt: skip
        (folder / "riverrun.toml").write_text(text)
        self.sink = log.sink()
        self.out = log.source([self.topic("predictions")])

    def topic(self, kind: str) -> str:
        """Return the name of one of the stream's topics."""
        return f"{self.name}.{kind}"

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let the worker run while the block does."""
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "serve.cli", "worker"],
            cwd=self._folder,
            stderr=(self._folder / "worker.log").open("wb"),
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def maximum(self, count: int) -> float:
        """Return events per second of a worker that finds a full log, without its start."""
        for key, value in encoded(count, "full"):
            self.sink.append([NewRecord(self.topic("events"), key, value)])
        self.sink.flush()
        with self.working():
            first = self._arrivals(count // 10)[-1]
            last = self._arrivals(count - count // 10)[-1]
        return (count - count // 10) / (last - first)

    def load(self, rate: float, seconds: float) -> list[float]:
        """Return the seconds from due to predicted of each event, at a rate; a worker runs."""
        self._runs += 1
        context = multiprocessing.get_context("spawn")
        began: Any = context.Queue()
        arguments = (self.broker, self.topic("events"), f"run{self._runs}", rate, seconds, began)
        process = context.Process(target=generate, args=arguments)
        process.start()
        start = began.get(timeout=_PATIENCE_SECONDS)
        arrived = self._arrivals(int(rate * seconds))
        process.join()
        # Events leave in the order in which they came.
        return [at - (start + number / rate) for number, at in enumerate(arrived)]

    def labels(self, count: int) -> list[float]:
        """Return the seconds from a label's append to a checkpoint that has learned it."""
        waiting = encoded(count, "labelled", labelled=False)
        self.sink.append([NewRecord(self.topic("events"), *one) for one in waiting])
        self.sink.flush()
        self._arrivals(count)
        store, place = (
            Store(f"sqlite:///{self._folder}/store.db", self.name),
            TopicPartition(self.topic("labels"), 0),
        )
        found: list[float] = []
        for key, _ in waiting:
            if sum(found) > _LABEL_SECONDS:
                break
            value = msgspec.json.encode({"id": key.decode(), "label": True})
            started = time.monotonic()
            ((_, offset),) = self.sink.append([NewRecord(place.topic, key, value)]).offsets()
            while (newest := store.newest()) is None or newest.offsets.get(str(place), 0) <= offset:
                if time.monotonic() - started > _PATIENCE_SECONDS:
                    raise TimeoutError("a label was not learned in time")
                time.sleep(0.005)
            found.append(time.monotonic() - started)
        store.close()
        return found

    def _arrivals(self, count: int) -> list[float]:
        arrived: list[float] = []
        heard = time.monotonic()
        while len(arrived) < count:
            read = self.out.poll(min(1_000, count - len(arrived)), 0.1)
            now = time.monotonic()
            if read:
                heard = now
            elif now - heard > _PATIENCE_SECONDS:
                raise TimeoutError(f"{len(arrived)} of {count} predictions came")
            arrived += [now] * len(read)
        return arrived


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Return p50, p99 and p99.9 in milliseconds."""
    ordered = sorted(seconds)
    shares = {"p50_ms": 0.5, "p99_ms": 0.99, "p99.9_ms": 0.999}
    return {
        name: round(1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)
        for name, share in shares.items()
    }


def measure(broker: str | None, count: int, seconds: float) -> list[dict[str, Any]]:
    """Return a row for each load over one log, and one for labels.

    Parameters
    ----------
    broker
        Its URL; None for an embedded log in a temporary folder.
    count
        Events by which the maximum is found.
    seconds
        Of each load.
    """
    with TemporaryDirectory() as path:
        url = broker or f"sqlite:///{path}/log.db"
        log = open_log(url)
        watched = Watched(log, url, Path(path))
        maximum = watched.maximum(count)
        known = {"log": log.transport, "maximum_per_second": round(maximum)}
        table = []
        with watched.working():
            watched.load(100, 1)  # the worker has started when these are through
            for share in LOADS:
                found = watched.load(share * maximum, seconds)
                rate = round(share * maximum)
                table.append(
                    known | {"load": f"{share:.0%}", "per_second": rate} | percentiles(found)
                )
            learned = watched.labels(30)
            table.append(
                known | {"load": "label_to_learned", "per_second": 0} | percentiles(learned)
            )
        log.close()
    return table


def compare(brokers: list[str], count: int = 20_000, seconds: float = 6.0) -> list[dict[str, Any]]:
    """Return the rows of the embedded log, and of each of the brokers."""
    table = []
    for broker in (None, *brokers):
        sys.stderr.write(f"latency: {broker or 'the embedded log'}\n")
        table += measure(broker, count, seconds)
    return table


def main() -> int:
    """Measure, print, and write ``docs/latency.md`` and the same as JSON."""
    from benchmarks.__main__ import markdown
    from benchmarks.brokers import brokers

    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="by which the maximum is found")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each load")
    parser.add_argument("--broker", help="also over this Kafka, by each client; local starts one")
    parser.add_argument("--output", type=Path, default=DOCS)
    arguments = parser.parse_args()
    with brokers(arguments.broker) as found:
        table = compare(found, arguments.events, arguments.seconds)
    sys.stdout.write(markdown(table))
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "latency.json").write_text(json.dumps(table, indent=2) + "\n")
    (arguments.output / "latency.md").write_text(document(table))
    return 0


def document(table: list[dict[str, Any]]) -> str:
    """Return the page of the documentation."""
    from benchmarks.__main__ import machine, markdown

    about = (__doc__ or "").split("\n", 2)[2]
    made = (
        "Written by `python -m benchmarks.latency`, as seen in one run, on a machine that is shared"
    )
    return f"# Latency\n\n{made}\nand noisy. {machine()}.\n\n{about}\n{markdown(table)}{PUBLISHED}"


if __name__ == "__main__":
    sys.exit(main())
