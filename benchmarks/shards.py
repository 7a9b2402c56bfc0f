"""Events per second of a divided stream, by one worker and by two, each pinned to a core.

``python -m benchmarks.shards`` starts the pinned Apache Kafka and a PostgreSQL of its own, four
partitions of events with their labels inside, and ``riverrun worker`` as it is. Workers share the
shards; they have learned from 2,000 events when they are stopped, all events are appended, and
they may go on: the time is from then to the last prediction on its topic, by the log's own stamp.
One worker and two run in turn, several times, over the same events, after a run that is not
counted and warms the servers; the ratio is that of medians.

Broker and database have the same two cores as the workers, and no core of their own: beside one
worker they have the other core, beside two they take what those would have. So the ratio that two
cores leave room for is ``2 w / (w + s)``, where w and s are the processor time that workers, and
servers, take for an event: ``room`` in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.brokers import LOCAL, brokers
from benchmarks.shard_run import Place, run
from benchmarks.streams import PIPELINES, SLOWER, is_detector

DOCS = Path(__file__).parents[1] / "docs"
EMBEDDED = "embedded"


def measured(place: Place, pipeline: str, count: int, repeats: int) -> dict[str, Any]:
    """Return what one worker and two did in turn: medians, and the ratio of their rates."""
    found: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    run(place, pipeline, 2, max(1, count // 4))  # servers are slow until they are warm
    for _ in range(repeats):
        for workers, runs in found.items():
            runs.append(run(place, pipeline, workers, count))
    one, two = (
        {key: median(each[key] for each in runs) for key in runs[0]} for runs in found.values()
    )
    servers = sum(two[f"{name}_microseconds"] for name in place.servers)
    own = two["worker_microseconds"]
    rates = [[round(each["per_second"]) for each in runs] for runs in found.values()]
    return {
        "events": count,
        "one": round(one["per_second"]),
        "two": round(two["per_second"]),
        "times": round(two["per_second"] / one["per_second"], 2),
        "room": round(2 * own / (own + servers), 2),
        "runs": {"one": rates[0], "two": rates[1]},
        "cost": {key: round(value, 1) for key, value in one.items() if "per_second" not in key},
        "cost_of_two": {
            key: round(value, 1) for key, value in two.items() if "microseconds" in key
        },
    }


@contextmanager
def places(kafka: str, folder: Path) -> Iterator[list[tuple[str, Place]]]:
    """Yield where to measure, each with a name."""
    if kafka == EMBEDDED:
        files = f"sqlite:///{folder / 'log.db'}", f"sqlite:///{folder / 'store.db'}"
        yield [("embedded", Place(folder, *files, servers={}))]
        return
    from tests.postgres import LocalPostgres

    server = LocalPostgres()
    server.start()
    try:
        with brokers(kafka) as urls:
            servers = {"store": server.pid}
            if (broker := _child("kafka.Kafka")) is not None:
                servers["broker"] = broker
            store = server.url("shards")
            yield [(url.partition(":")[0], Place(folder, url, store, servers)) for url in urls]
    finally:
        server.stop()


def _child(named: str) -> int | None:
    """Return a process that this one has started, by a word of its command."""
    for task in Path("/proc/self/task").glob("*/children"):
        for child in task.read_text().split():
            if named.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return int(child)
    return None


def main() -> None:
    """Measure, print a line of JSON for each pipeline and client, and write where asked to."""
    from benchmarks.__main__ import machine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", default=LOCAL, help="kafka://host:port, local, or embedded")
    parser.add_argument("--events", type=int, default=240_000, help="fewer for slower pipelines")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, once")
    parser.add_argument("--only", default="", help="part of a pipeline's name")
    parser.add_argument("--client", default="", help="part of a client's name")
    parser.add_argument("--write", action="store_true", help="put it into docs/scaling.json")
    asked = parser.parse_args()
    events, repeats = (asked.events // 10, 1) if asked.quick else (asked.events, asked.repeats)
    with tempfile.TemporaryDirectory() as folder, places(asked.kafka, Path(folder)) as found:
        for log, place in found:
            for name, pipeline in PIPELINES.items():
                if asked.only not in name or is_detector(pipeline) or asked.client not in log:
                    continue
                row = {"log": log, "pipeline": name, "load_before": round(os.getloadavg()[0], 1)}
                row |= measured(place, pipeline, events // SLOWER.get(name, 1), repeats)
                print(json.dumps(row), flush=True)
                if asked.write:
                    write(DOCS / "scaling.json", machine(), row)
    if asked.write:
        from benchmarks.scaling_plan import renew

        renew(DOCS)


def write(path: Path, machine: str, row: dict[str, Any]) -> None:
    """Put a row in the place of the one that has been there for its log and pipeline."""
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"rows": []}
    same = row["log"], row["pipeline"]
    kept = [one for one in old["rows"] if (one["log"], one["pipeline"]) != same]
    path.write_text(
        json.dumps({"rows": [*kept, {"machine": machine} | row]}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
