"""What the monitor costs inside the line, as a share of a bare River loop.

Standard scaler and logistic regression on 8 features, labels in the events. The line without the
monitor and the line with it (schema, panes, skew, predictions, losses with betting and ADWIN,
performance beside the baselines, the estimate) handle the same records in memory, in turn with a
loop that predicts, updates a metric and learns. Processor time of this process; medians.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import msgspec

from benchmarks.streams import PIPELINES, config, rows
from stream.build import line_factory
from stream.records import Record

PIPELINE = "scaler and logistic regression"
WARM_UP, EVENTS, BATCH = 12_000, 36_000, 2_000


def compare(repeats: int) -> list[dict[str, Any]]:
    """Return one row a loop: microseconds of an event, and what is beyond the line without it."""
    events = rows(WARM_UP + EVENTS)
    topic = config("none", "none", PIPELINES[PIPELINE]).events_topic
    records = [
        Record(topic, 0, at, 1_000_000 + at, None, msgspec.json.encode(row))
        for at, row in enumerate(events)
    ]
    sides: dict[str, Callable[[], float]] = {
        "bare River loop": lambda: bare(records),
        "line without the monitor": lambda: line(records, watched=False),
        "line with the monitor": lambda: line(records, watched=True),
    }
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            spent[name].append(run())
    loop, off, on = (median(values) for values in spent.values())
    extra = round(100 * (on - off) / loop, 1)
    return [
        {"loop": name, "microseconds": round(median(values), 2), "extra_percent_of_bare": share}
        for (name, values), share in zip(spent.items(), (0.0, 0.0, extra), strict=True)
    ]


def bare(records: list[Record]) -> float:
    """Return microseconds of an event in the loop of River's documentation."""
    fresh = line_factory(config("none", "none", PIPELINES[PIPELINE]))("v1")
    model, metric = fresh.learner.model, next(iter(fresh.scores.fresh_metrics().values()))
    known = [(fresh.features_of(record.value or b""), record) for record in records[WARM_UP:]]
    labels = [bool(msgspec.json.decode(record.value or b"")["label"]) for _, record in known]
    gc.collect()
    started = time.process_time()
    for (features, _), label in zip(known, labels, strict=True):
        metric.update(label, model.predict_proba_one(features))
        model.learn_one(features, label)
    return (time.process_time() - started) / len(known) * 1e6


def line(records: list[Record], *, watched: bool) -> float:
    """Return microseconds of an event in ``Line.handle``, after the warm-up."""
    settings = config("none", "none", PIPELINES[PIPELINE])
    monitor = settings.monitor.model_copy(update={"enabled": watched})
    retrain = settings.retrain.model_copy(update={"enabled": False})
    settings = settings.model_copy(update={"monitor": monitor, "retrain": retrain})
    fresh = line_factory(settings)("v1")
    for at in range(0, WARM_UP, BATCH):
        fresh.handle(records[at : at + BATCH], 0)
    gc.collect()
    started = time.process_time()
    for at in range(WARM_UP, len(records), BATCH):
        fresh.handle(records[at : at + BATCH], 0)
    return (time.process_time() - started) / EVENTS * 1e6
