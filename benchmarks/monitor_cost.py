"""What watching costs in the worker: the extra CPU time, as a share of a bare River loop's.

The bare loop predicts, updates a metric and learns: StandardScaler and LogisticRegression on 8
features, events as dictionaries. The monitored loops do the same in batches of 1,000, and give each
batch to the monitor: events and predictions to `observe`, labels and losses to `observe_labels`.
All take a batch in turn, in one process, and a batch's time is the median over repeats; the range
is that of whole repeats. It is CPU time that is compared, which other work on the machine changes
least. Taking losses includes computing them. The reference, and what is calibrated once for each,
was made before.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from river import linear_model, metrics, preprocessing

from benchmarks.streams import rows
from monitor import Monitor, MonitorConfig
from monitor.config import ConceptConfig, DetectorName, PaneConfig

BATCH = 1_000
REFERENCE = 10_000
Events = list[tuple[dict[str, float], bool]]


@dataclass(frozen=True, slots=True)
class Part:
    """What of the monitor is on."""

    predictions: bool = False
    losses: bool = False
    detector: DetectorName | None = None
    pane_events: int = 1_000


BARE = "bare River loop"
ALL = "observe and observe_labels (ADWIN and betting)"
PARTS: dict[str, Part | None] = {
    BARE: None,
    "observe: checks and counts only (no pane ends)": Part(pane_events=10_000_000),
    "observe: schema, panes, skew": Part(),
    "observe, with predictions": Part(predictions=True),
    "observe and observe_labels (betting only)": Part(predictions=True, losses=True),
    ALL: Part(predictions=True, losses=True, detector="ADWIN"),
}


def compare(total: int, repeats: int) -> list[dict[str, Any]]:
    """Return a row for each part of the monitor.

    Parameters
    ----------
    total
        Events of a run.
    repeats
        Runs of each, in turn.
    """
    events = [
        ({k: v for k, v in row.items() if k[0] == "f"}, row["label"])
        for row in rows(REFERENCE + total)
    ]
    known, events = events[:REFERENCE], events[REFERENCE:]
    taken: dict[str, list[list[float]]] = {name: [] for name in PARTS}
    for repeat in range(repeats + 1):
        sys.stderr.write(f"cost: repeat {repeat} of {repeats}\n")
        loops = {n: _bare() if part is None else _watched(known, part) for n, part in PARTS.items()}
        gc.collect()
        times: dict[str, list[float]] = {name: [] for name in PARTS}
        for at, batch in enumerate(_batches(events)):
            # Another one begins each time, as the first finds the events in no cache.
            turn = list(PARTS)[at % len(PARTS) :] + list(PARTS)[: at % len(PARTS)]
            for name in turn:
                started = time.process_time()
                loops[name](batch)
                times[name].append(time.process_time() - started)
        for name in PARTS:
            # The first round warms up.
            taken[name] += [times[name]] if repeat else []
    return [_row(name, seconds, taken[BARE], total) for name, seconds in taken.items()]


def _line() -> tuple[Any, Any]:
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    return model, metrics.ROCAUC()


def _bare() -> Callable[[Events], None]:
    model, metric = _line()

    def loop(batch: Events) -> None:
        for features, label in batch:
            said = model.predict_proba_one(features)
            metric.update(label, said)
            model.learn_one(features, label)

    return loop


def _watched(known: Events, part: Part) -> Callable[[Events], None]:
    model, metric = _line()
    monitor = _fitted(known, part)
    numbers = count()

    def loop(batch: Events) -> None:
        said_all = []
        for features, label in batch:
            said = model.predict_proba_one(features)
            metric.update(label, said)
            model.learn_one(features, label)
            said_all.append(said.get(True, 0.5))
        monitor.observe(
            [features for features, _ in batch], predictions=said_all if part.predictions else None
        )
        if part.losses:
            labels = [label for _, label in batch]
            errors = [abs(label - said) for label, said in zip(labels, said_all, strict=True)]
            times = np.arange(BATCH, dtype=float) + BATCH * next(numbers)
            monitor.observe_labels(labels, times[: len(batch)], losses=errors)

    return loop


def _batches(events: Events) -> Iterator[Events]:
    """Return the events in lists of the batch's size."""
    return (events[at : at + BATCH] for at in range(0, len(events), BATCH))


def _fitted(known: Events, part: Part) -> Monitor:
    """Return a monitor with a reference that one pane was already held against."""
    rng = np.random.default_rng(3)
    said = rng.random(len(known)).tolist() if part.predictions else None
    features, labels = [f for f, _ in known], [label for _, label in known]
    config = MonitorConfig(
        panes=PaneConfig(events=part.pane_events), concept=ConceptConfig(detector=part.detector)
    )
    monitor = Monitor(config).fit(features, predictions=said, labels=labels if said else None)
    # Sixteen panes, so that every span is tested in what follows.
    monitor.observe(features + features[:6_000], predictions=said and said + said[:6_000])
    return monitor


def _row(
    name: str, seconds: list[list[float]], bare: list[list[float]], events: int
) -> dict[str, Any]:
    usual, base = (np.median(rounds, axis=0).sum() for rounds in (seconds, bare))
    extra = np.sum(seconds, axis=1) / np.sum(bare, axis=1) - 1
    return {
        "loop": name,
        "extra_percent": round(100 * float(usual / base - 1), 1),
        "range": f"{100 * extra.min():.1f} to {100 * extra.max():.1f}",
        "events_per_second": round(events / float(usual)),
    }
