"""Learning in mini-batches: what it gains, and what it loses.

New South Wales electricity (elec2, from ``RIVERRUN_DATA``), 45,312 half hours in their order, the
label inside the event; a scaler and a logistic regression. The same line, monitor and all, with
records in memory; `model_per_second` is the pipeline alone, predicting and learning. Scores are
progressive: each prediction is made before its label is learned, by the model as it is while a
batch waits.
"""

from __future__ import annotations

import csv
import gc
import gzip
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.monitor_real import data
from stream.build import build_model, line_factory
from stream.config import Config
from stream.records import Record

PIPELINE = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"
SIZES = (None, 10, 100, 1_000)
_POLLED = 1_000


def compare(repeats: int = 3) -> list[dict[str, Any]]:
    """Return one row per size of a batch; none without the data."""
    path = data() / "elec2.csv.gz"
    if not path.exists():
        sys.stderr.write(f"mini-batches: {path} is not there; set RIVERRUN_DATA to its folder\n")
        return []
    with gzip.open(path, "rt", newline="") as file:
        rows = [_event(number, row) for number, row in enumerate(csv.DictReader(file))]
    records = [
        Record("bench.events", 0, n, 1_000_000 + n, None, msgspec.json.encode(row))
        for n, row in enumerate(rows)
    ]
    lines: dict[int | None, list[float]] = {size: [] for size in SIZES}
    models: dict[int | None, list[float]] = {size: [] for size in SIZES}
    scores: dict[int | None, dict[str, Any]] = {}
    for _ in range(repeats):
        for size in SIZES:
            speed, scores[size] = _line(size, records)
            lines[size].append(speed)
            models[size].append(_model(size, rows))
    return [
        {
            "mini_batch": "one by one" if size is None else size,
            "line_per_second": round(median(lines[size])),
            "line_gain": round(median(lines[size]) / median(lines[None]), 3),
            "model_per_second": round(median(models[size])),
            "model_gain": round(median(models[size]) / median(models[None]), 3),
            **{name: round(value, 4) for name, value in scores[size].items()},
        }
        for size in SIZES
    ]


def _event(number: int, row: dict[str, str]) -> dict[str, Any]:
    features = {k: float(v) for k, v in row.items() if k not in ("date", "class", "day")}
    return {"id": str(number), "time": number, "up": row["class"] in ("1", "UP"), **features}


def _config(size: int | None) -> Config:
    return Config(
        stream={"name": "bench"},
        event={"id": "id", "time": "time", "label": "up"},
        model={
            "task": "binary",
            "pipeline": PIPELINE,
            "metrics": ["Accuracy", "LogLoss", "ROCAUC"],
            "mini_batch": size,
        },
    )


def _line(size: int | None, records: list[Record]) -> tuple[float, dict[str, Any]]:
    line = line_factory(_config(size))("v1")
    gc.collect()
    started = time.perf_counter()
    for start in range(0, len(records), _POLLED):
        line.handle(records[start : start + _POLLED], 0)
    spent = time.perf_counter() - started
    return len(records) / spent, line.scores.summary()["model"]


def _model(size: int | None, rows: list[dict[str, Any]]) -> float:
    model, _ = build_model(_config(size), "benchmark")
    features = [{k: v for k, v in row.items() if k not in ("id", "time", "up")} for row in rows]
    labels = [row["up"] for row in rows]
    gc.collect()
    started = time.perf_counter()
    for x, y in zip(features, labels, strict=True):
        model.predict_proba_one(x)
        model.learn_one(x, y)
    return len(rows) / (time.perf_counter() - started)


if __name__ == "__main__":
    from benchmarks.__main__ import markdown

    table = compare()
    if table:
        sys.stdout.write(markdown(table))
        path = Path(__file__).parents[1] / "docs" / "mini-batches.json"
        path.write_text(json.dumps(table, indent=2) + "\n")
