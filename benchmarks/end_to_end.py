"""Events per second of the whole line, as a share of a bare River loop on the same events.

The line polls, decodes, checks, predicts, scores, learns, commits, and publishes every prediction.
The bare loop has the events in memory as dictionaries. Both run in turn, in one process, several
times; medians are compared.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.streams import PIPELINES, SLOWER, config, features_of, is_detector, rows
from stream.build import line_factory
from stream.clock import SystemClock
from stream.log import Log
from stream.logs.open_log import open_log
from stream.records import NewRecord
from stream.storage.store import Store
from stream.worker import open_worker

Clock = Callable[[], float]


def bare(
    pipeline: str, events: list[tuple[dict[str, Any], bool]], clock: Clock = time.perf_counter
) -> float:
    """Return events per second of the loop in River's documentation."""
    line = line_factory(config("sqlite:///none", "sqlite:///none", pipeline))("v1")
    model, metric = line.learner.model, next(iter(line.scores.fresh_metrics().values()))
    gc.collect()
    if is_detector(pipeline):
        return _bare_detector(model, metric, events, clock)
    started = clock()
    for features, label in events:
        said = model.predict_proba_one(features)
        metric.update(label, said)
        model.learn_one(features, label)
    return len(events) / (clock() - started)


def _bare_detector(
    model: Any, metric: Any, events: list[tuple[dict[str, Any], bool]], clock: Clock
) -> float:
    started = clock()
    for features, label in events:
        metric.update(label, model.score_one(features))
        model.learn_one(features)
    return len(events) / (clock() - started)


def whole(
    pipeline: str, log: Log, name: str, events: int, clock: Clock = time.perf_counter
) -> tuple[float, float]:
    """Return events per second of the worker over a log that holds them, and commits' share."""
    with tempfile.TemporaryDirectory() as folder:
        settings = config(log.url, f"sqlite:///{folder}/store.db", pipeline, name)
        store = Store(settings.stream.store, name)
        worker = open_worker(settings, log, store, line_factory(settings), SystemClock())
        worker.start()
        gc.collect()
        started = clock()
        worker.run(lambda: False, until_caught_up=True)
        spent = clock() - started
        if clock is not time.process_time:
            spent -= worker.telemetry.idle  # waiting takes no processor time
        assert worker.line.counts.learned == events
        store.close()
        return events / spent, worker.telemetry.seconds["checkpoint"] / spent


def produce(log: Log, name: str, count: int) -> None:
    """Write the events to a log, under a stream's name."""
    settings = config(log.url, "sqlite:///none", PIPELINES["Hoeffding tree"], name)
    log.create_topics(dict.fromkeys(settings.topic_names, 1))
    sink = log.sink()
    batch: list[NewRecord] = []
    for row in rows(count):
        value = msgspec.json.encode(row)
        batch.append(NewRecord(settings.events_topic, row["id"].encode(), value))
        if len(batch) == 1_000:
            sink.append(batch)
            batch = []
    sink.append(batch)
    sink.close()


def compare(
    broker: str | None, count: int, repeats: int, clock: Clock = time.perf_counter
) -> list[dict[str, Any]]:
    """Return one row per pipeline: medians of both, and the share.

    Parameters
    ----------
    broker
        A Kafka URL, or None for the embedded log in a temporary folder.
    count
        Events of the fastest pipeline; slower ones get fewer.
    repeats
        Runs of each, in turn.
    clock
        ``time.process_time`` counts what this process used, whatever else the machine does.
    """
    results = []
    with tempfile.TemporaryDirectory() as folder:
        log = open_log(broker or f"sqlite:///{Path(folder) / 'log.db'}")
        for title, pipeline in PIPELINES.items():
            events = max(1_000, count // SLOWER.get(title, 1))
            name = f"bench-{time.time_ns()}"
            produce(log, name, events)
            memory = [(features_of(row), row["label"]) for row in rows(events)]
            bares, wholes, commits = [], [], []
            for _ in range(repeats):
                bares.append(bare(pipeline, memory, clock))
                speed, share = whole(pipeline, log, name, events, clock)
                wholes.append(speed)
                commits.append(share)
            results.append(
                {
                    "pipeline": title,
                    "log": log.transport,
                    "share": round(median(w / b for w, b in zip(wholes, bares, strict=True)), 3),
                    "bare_per_second": round(median(bares)),
                    "line_per_second": round(median(wholes)),
                    "events": events,
                    "commit_share": round(median(commits), 4),
                }
            )
        log.close()
    return results
