"""On demand through the broker: an event on one topic, its answer on the predictions topic.

The program that asks knows nothing of riverrun but two topics; any Kafka client does as well. Run
it as ``python broker.py sqlite:///log.db`` or ``python broker.py kafka://localhost:9092``, while a
worker runs. A third argument is how many events to ask.
"""

# ruff: noqa: INP001, T201 - a file to run, not a package

from __future__ import annotations

import json
import statistics
import sys
import time

from stream.log import Log, Source
from stream.logs.open_log import open_log
from stream.records import NewRecord

EVENTS, PREDICTIONS = "orders.events", "orders.predictions"


def ask(log: Log, answers: Source, number: int) -> tuple[dict[str, object], float]:
    """Append one order and wait for its answer; return it and the seconds it took."""
    order_id = f"shop-{time.time_ns()}"
    order = {
        "order_id": order_id,
        "placed": "2025-01-04T12:00:00Z",
        "amount": 10.0 + number,
        "items": 1 + number % 9,
        "country": "DE",
    }
    started = time.perf_counter()
    record = NewRecord(EVENTS, order_id.encode(), json.dumps(order).encode())
    log.sink().append([record]).offsets()
    while time.perf_counter() - started < 30:
        for found in answers.poll(1_000, 0.25):
            # A worker that died may answer twice, with the same key; the first answer counts.
            if found.key == order_id.encode():
                return json.loads(found.value or b"{}"), time.perf_counter() - started
    raise TimeoutError(f"no answer to {order_id}: does a worker run?")


def main(url: str, count: int) -> None:
    """Ask some events one after another, and print how long the answers took."""
    log = open_log(url)
    answers = log.source([PREDICTIONS])
    answers.seek({place: held.end for place, held in answers.bounds().items()})
    seconds = []
    for number in range(count):
        said, took = ask(log, answers, number)
        seconds.append(took)
    print(f"the last answer: {said['prediction']} by {said['model_version']}")
    milliseconds = sorted(1_000 * took for took in seconds)
    p99 = milliseconds[int(0.99 * (len(milliseconds) - 1))]
    print(json.dumps({"asked": count, "median_ms": statistics.median(milliseconds), "p99_ms": p99}))
    log.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100)
