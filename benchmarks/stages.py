"""Where an event's time goes: the line built up from a bare River loop, part by part.

``python -m benchmarks.stages`` runs the same events through each of them in turn, several times,
and writes the medians to ``docs/stages.json``: microseconds of processor time an event, in one
process, on the events of the other benches.

`pickled` is the loop of the model alone, with ``pickle.dumps`` of the model every 1,000 events that
is itself not counted. Every checkpoint does that. Up to Python 3.12 an object whose attributes were
read as a dictionary, which is how it is pickled, keeps that dictionary, and its attributes are
slower to reach from then on; a model of many small objects, such as a tree, is slower by that.
"""

from __future__ import annotations

import argparse
import gc
import json
import pickle
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import structlog

from benchmarks.end_to_end import bare, produce
from benchmarks.streams import PIPELINES, SLOWER, config, features_of, is_detector, rows
from stream.build import line_factory
from stream.clock import SystemClock
from stream.config import Config
from stream.logs.open_log import open_log
from stream.records import Record
from stream.storage.store import Store
from stream.worker import open_worker

DOCS = Path(__file__).parents[1] / "docs"
_BATCH = 500
_PICKLED_EVERY = 1_000
Memory = list[tuple[dict[str, Any], bool]]


def compare(events: int, repeats: int) -> list[dict[str, Any]]:
    """Return a row for each pipeline: microseconds of an event, by what it runs through.

    Parameters
    ----------
    events
        Of the fastest pipeline; slower ones get fewer.
    repeats
        Runs of each, in turn.
    """
    return [_row(title, max(1_000, events // SLOWER.get(title, 1)), repeats) for title in PIPELINES]


def _row(title: str, events: int, repeats: int) -> dict[str, Any]:
    pipeline = PIPELINES[title]
    memory: Memory = [(features_of(row), row["label"]) for row in rows(events)]
    plain = config("sqlite:///none", "sqlite:///none", pipeline)
    records = [
        Record(plain.events_topic, 0, at, row["time"], None, msgspec.json.encode(row))
        for at, row in enumerate(rows(events))
    ]
    sides: dict[str, Callable[[], float]] = {
        "model": lambda: model_alone(pipeline, memory, 0),
        "pickled": lambda: model_alone(pipeline, memory, _PICKLED_EVERY),
        "bare_loop": lambda: 1e6 / bare(pipeline, memory, time.process_time),
        "line": lambda: line(_with(plain, enabled=False, frozen_every=0), records),
        "with_monitor": lambda: line(_with(plain, frozen_every=0), records),
        "with_baseline": lambda: line(plain, records),
    }
    spent: dict[str, list[float]] = {name: [] for name in sides}
    stages: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        log = open_log(f"sqlite:///{Path(folder) / 'log.db'}")
        produce(log, "bench", events)
        for _ in range(repeats):
            for name, run in sides.items():
                spent[name].append(run())
            for name, took in worker(pipeline, Path(folder), events).items():
                stages.setdefault(name, []).append(took)
        log.close()
    return {
        "pipeline": title,
        "events": events,
        **{name: round(median(values), 1) for name, values in (spent | stages).items()},
    }


def model_alone(pipeline: str, memory: Memory, pickled_every: int) -> float:
    """Return microseconds of predicting and learning from an event, pickled now and then or not."""
    model = line_factory(config("none", "none", pipeline))("v1").learner.model
    detects = is_detector(pipeline)
    predict = model.score_one if detects else model.predict_proba_one
    gc.collect()
    spent = 0.0
    for start in range(0, len(memory), _PICKLED_EVERY):
        if pickled_every:
            pickle.dumps(model, pickle.HIGHEST_PROTOCOL)
        part = memory[start : start + _PICKLED_EVERY]
        began = time.process_time()
        for values, label in part:
            predict(values)
            if detects:
                model.learn_one(values)
            else:
                model.learn_one(values, label)
        spent += time.process_time() - began
    return 1e6 * spent / len(memory)


def line(settings: Config, records: list[Record]) -> float:
    """Return microseconds of an event in the line, which has the records in memory."""
    fresh = line_factory(settings)("v1")
    gc.collect()
    started = time.process_time()
    for start in range(0, len(records), _BATCH):
        fresh.handle(records[start : start + _BATCH], 0)
    return 1e6 * (time.process_time() - started) / len(records)


def worker(pipeline: str, folder: Path, events: int) -> dict[str, float]:
    """Return microseconds of an event in the worker over the embedded log, all and by stage."""
    settings = config(f"sqlite:///{folder}/log.db", f"sqlite:///{folder}/store.db", pipeline)
    (folder / "store.db").unlink(missing_ok=True)
    log, store = open_log(settings.stream.broker), Store(settings.stream.store, "bench")
    made = open_worker(settings, log, store, line_factory(settings), SystemClock())
    made.start()
    gc.collect()
    started = time.process_time()
    made.run(lambda: False, until_caught_up=True)
    spent = time.process_time() - started
    assert made.line.counts.events == events
    by_stage = dict(made.telemetry.seconds)
    by_stage["poll"] -= made.telemetry.idle
    store.close()
    log.close()
    return {
        "worker": 1e6 * spent / events,
        **{name: 1e6 * took / events for name, took in by_stage.items()},
    }


def _with(settings: Config, **changed: Any) -> Config:
    return settings.model_copy(update={"monitor": settings.monitor.model_copy(update=changed)})


def main() -> None:
    """Measure, print and write."""
    from benchmarks.__main__ import show

    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=60_000, help="of the fastest pipeline")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=DOCS)
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    found = compare(arguments.events, arguments.repeats)
    show("Microseconds of an event", found)
    (arguments.output / "stages.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
