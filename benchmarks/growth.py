"""Cost per event against what grows: features, labels that wait, panes, the model, partitions.

Each row is the whole line with records in memory, the median of several repeats in turn; `cost` is
microseconds of an event, `bare` those of the River pipeline alone (predict and learn), `checkpoint`
milliseconds of one snapshot, which is written at most so often that it takes 2 % of the time. In
`panes` the worker runs over the embedded log and its store, with panes of 20 events, so that
everything in it happens fifty times as often as by default; and cost is that of the last events.
"""

from __future__ import annotations

import argparse
import gc
import json
import pickle
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import structlog

from benchmarks.plot import draw
from benchmarks.streams import PIPELINES, config
from stream.build import build_model, line_factory
from stream.clock import SystemClock
from stream.config import Config
from stream.line import Line
from stream.logs.memory_log import MemoryLog
from stream.logs.open_log import open_log
from stream.records import NewRecord, Record
from stream.snapshot import mark_committed, take_snapshot
from stream.storage.store import Store
from stream.waiting import Pending
from stream.worker import open_worker

DOCS = Path(__file__).parents[1] / "docs"
_WHY = """
What grows and why: with features both sides grow, since a linear model and a scaler look at each
one, and the line decodes, checks, hashes and counts each one too. With labels that wait the cost is
flat up to the last row: a million is `labels.max_pending`, where each new prediction gives the
oldest up, and what is given up has to be tidied from the checkpoint. A larger forest costs what
River's forest costs, and its checkpoint what pickling it costs. With panes kept (of 20 events here)
the store's table is what grows. X
comparisons deep.
"""
LINEAR = PIPELINES["scaler and logistic regression"]
_POLLED = 500
Row = dict[str, Any]


def events(count: int, features: int = 8, labelled: bool = True, seed: int = 1) -> Iterator[Row]:
    """Yield events whose first two features explain their label in part."""
    rng = random.Random(seed)
    for number in range(count):
        row: Row = {f"f{i}": round(rng.gauss(0, 1), 6) for i in range(features)}
        label = row["f0"] - row["f1"] + 0.5 * rng.gauss(0, 1) > 0
        yield {"id": f"{seed}-{number}", "time": number, **row} | (
            {"label": label} if labelled else {}
        )


def records(settings: Config, rows: Iterator[Row]) -> list[Record]:
    """Return events as records of one partition."""
    return [
        Record(settings.events_topic, 0, n, 1_000_000 + n, None, msgspec.json.encode(row))
        for n, row in enumerate(rows)
    ]


def cost(line: Line, found: list[Record]) -> float:
    """Return microseconds of an event, after a tenth of them."""
    warm = len(found) // 10
    line.handle(found[:warm], 0)
    gc.collect()
    started = time.perf_counter()
    for start in range(warm, len(found), _POLLED):
        line.handle(found[start : start + _POLLED], 0)
    return 1e6 * (time.perf_counter() - started) / (len(found) - warm)


def bare(settings: Config, rows: list[Row]) -> float:
    """Return microseconds of an event in the pipeline alone."""
    model, _ = build_model(settings, "benchmark")
    known = [({k: v for k, v in row.items() if k[0] == "f"}, row["label"]) for row in rows]
    started = time.perf_counter()
    for features, label in known:
        model.predict_proba_one(features)
        model.learn_one(features, label)
    return 1e6 * (time.perf_counter() - started) / len(known)


def snapshot(line: Line) -> float:
    """Return milliseconds of one snapshot."""
    started = time.perf_counter()
    take_snapshot(line)
    return 1e3 * (time.perf_counter() - started)


def by_features(count: int) -> Iterator[Row]:
    """Yield a row for each number of features."""
    settings = config("none", "none", LINEAR)
    for number in (8, 32, 128, 512):
        size = max(600, count * 8 // number)
        line = line_factory(settings)("v1")
        found = records(settings, events(size, number))
        yield {
            "features": number,
            "cost": cost(line, found),
            "bare": bare(settings, list(events(size, number))),
            "checkpoint": snapshot(line),
        }


def by_pending(count: int) -> Iterator[Row]:
    """Yield a row for each number of predictions that wait: events without, then their labels."""
    settings = config("none", "none", LINEAR)
    for number in (0, 10_000, 100_000, 1_000_000):
        line = line_factory(settings)("v1")
        value = msgspec.json.encode(next(events(1, labelled=False)))
        for seq in range(number):
            line.pending.add(Pending(f"old-{seq}", seq + 1, 0, 0, value, 0.5, (), None))
        line.arrivals = number
        mark_committed(line, take_snapshot(line)[1], 1)
        rows = list(events(count, labelled=False))
        found = records(settings, iter(rows))
        labels = [
            Record(
                settings.labels_topic, 0, n, 2_000_000 + n, None,
                msgspec.json.encode({"id": row["id"], "label": True}),
            )
            for n, row in enumerate(rows)
        ]  # fmt: skip
        predicted = cost(line, found)
        taken = snapshot(line)
        yield {
            "pending": number,
            "cost": predicted,
            "label_cost": cost(line, labels),
            "checkpoint": taken,
        }


def by_model(count: int) -> Iterator[Row]:
    """Yield a row for each size of a random forest."""
    for trees in (1, 3, 10, 30):
        settings = config("none", "none", f"forest.ARFClassifier(n_models={trees})")
        size = max(400, count // (4 * trees))
        line = line_factory(settings)("v1")
        yield {
            "trees": trees,
            "cost": cost(line, records(settings, events(size))),
            "bare": bare(settings, list(events(size))),
            "model_kilobytes": len(pickle.dumps(line.learner.model)) / 1e3,
            "checkpoint": snapshot(line),
        }


def by_panes(count: int) -> Iterator[Row]:
    """Yield a row for each number of panes that the store keeps."""
    for kept in (64, 256, 1_024):
        with tempfile.TemporaryDirectory() as folder:
            tables = config(f"sqlite:///{folder}/log.db", f"sqlite:///{folder}/s.db", LINEAR)
            monitor = tables.monitor.model_copy(
                update={"pane_events": 20, "warmup_events": 200, "panes_kept": kept}
            )
            settings = tables.model_copy(update={"monitor": monitor})
            size = max(count, 25 * kept)
            log = open_log(settings.stream.broker)
            log.create_topics(dict.fromkeys(settings.topic_names, 1))
            found = [(row["id"], msgspec.json.encode(row)) for row in events(size)]
            new = [NewRecord(settings.events_topic, key.encode(), value) for key, value in found]
            log.sink().append(new[:-2_000]).offsets()
            store = Store(settings.stream.store, "bench")
            worker = open_worker(settings, log, store, line_factory(settings), SystemClock())
            worker.start()
            worker.run(lambda: False, until_caught_up=True)
            log.sink().append(new[-2_000:]).offsets()
            started, idle = time.perf_counter(), worker.telemetry.idle
            worker.run(lambda: False, until_caught_up=True)
            spent = time.perf_counter() - started - (worker.telemetry.idle - idle)
            yield {"panes_kept": kept, "cost": 1e6 * spent / 2_000}
            store.close()
            log.close()


def by_partitions(count: int) -> Iterator[Row]:
    """Yield a row for each number of partitions of the events, merged as Kafka's are."""
    for number in (1, 4, 16, 64):
        ticks = iter(range(10**9))
        log = MemoryLog(clock=lambda ticks=ticks: next(ticks))
        settings = config("none", "none", LINEAR)
        log.create_topics({settings.events_topic: number, settings.labels_topic: number})
        sink = log.sink()
        for n, row in enumerate(events(count)):
            value = msgspec.json.encode(row)
            sink.append([NewRecord(settings.events_topic, None, value, (), n % number)])
        source = log.source([settings.events_topic, settings.labels_topic])
        line = line_factory(settings)("v1")
        line.handle(source.poll(count // 10, 0), 0)
        gc.collect()
        started, read = time.perf_counter(), 0
        while found := source.poll(_POLLED, 0):
            line.handle(found, 0)
            read += len(found)
        yield {"partitions": number, "cost": 1e6 * (time.perf_counter() - started) / read}


DIMENSIONS: dict[str, tuple[str, Callable[[int], Iterator[Row]]]] = {
    "features": ("features", by_features),
    "labels that wait": ("pending", by_pending),
    "size of the model": ("trees", by_model),
    "panes kept": ("panes_kept", by_panes),
    "partitions": ("partitions", by_partitions),
}


def compare(count: int = 4_000, repeats: int = 3) -> dict[str, list[Row]]:
    """Return a table for each thing that grows.

    Parameters
    ----------
    count
        Events of a measurement, at the smallest size.
    repeats
        Of which each figure is the median.
    """
    tables: dict[str, list[Row]] = {}
    for title, (key, measure) in DIMENSIONS.items():
        sys.stderr.write(f"growth: {title}\n")
        runs = [list(measure(count)) for _ in range(repeats)]
        tables[title] = [
            {
                name: round(median(float(row[name]) for row in rows), 1)
                if name != key
                else rows[0][key]
                for name in rows[0]
            }
            for rows in zip(*runs, strict=True)
        ]
    return tables


def document(tables: dict[str, list[Row]], has_plot: bool) -> str:
    """Return the page of the documentation."""
    from benchmarks.__main__ import machine, markdown

    about = (__doc__ or "").split("\n", 2)[2]
    made = (
        "Written by `python -m benchmarks.growth`, as seen in one run, on a machine that is shared"
    )
    parts = ["# Growth\n", f"{made}\nand noisy. {machine()}.\n", about]
    if has_plot:
        parts.append("![Cost per event against what grows](images/growth.svg)\n")
    parts.append(_WHY)
    for title, table in tables.items():
        parts += [f"## Against {title}\n", markdown(table)]
    return "\n".join(parts)


def plot(tables: dict[str, list[Row]], path: Path) -> bool:
    """Draw the tables; return whether that was possible."""
    panels = []
    for title, table in tables.items():
        key = DIMENSIONS[title][0]
        x = [row[key] for row in table]
        lines = [
            (name, x, [row[name] for row in table])
            for name in ("cost", "bare", "label_cost")
            if name in table[0]
        ]
        panels.append((title, key.replace("_", " "), lines))
    return draw(path, panels)


def main() -> int:
    """Measure, print, and write ``docs/growth.md``, the same as JSON, and the picture."""
    from benchmarks.__main__ import markdown

    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--events", type=int, default=4_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=DOCS)
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    tables = compare(arguments.events, arguments.repeats)
    for title, table in tables.items():
        sys.stdout.write(f"\nAgainst {title}\n{markdown(table)}")
    (arguments.output / "images").mkdir(parents=True, exist_ok=True)
    has_plot = plot(tables, arguments.output / "images" / "growth.svg")
    (arguments.output / "growth.json").write_text(json.dumps(tables, indent=2) + "\n")
    (arguments.output / "growth.md").write_text(document(tables, has_plot))
    return 0


if __name__ == "__main__":
    sys.exit(main())
