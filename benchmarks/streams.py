"""The stream that every benchmark runs on: 8 numeric features, a label they explain in part."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from stream.config import Config

PIPELINES = {
    "scaler and logistic regression": (
        "preprocessing.StandardScaler() | linear_model.LogisticRegression()"
    ),
    "Hoeffding tree": "tree.HoeffdingTreeClassifier()",
    "Hoeffding adaptive tree": "tree.HoeffdingAdaptiveTreeClassifier(seed=42)",
    "adaptive random forest of 10": "forest.ARFClassifier(n_models=10)",
    "half-space trees": "anomaly.HalfSpaceTrees(seed=42)",
}
SLOWER = {
    "Hoeffding tree": 3,
    "Hoeffding adaptive tree": 8,
    "adaptive random forest of 10": 25,
    "half-space trees": 3,
}
"""Of the events a pipeline gets one in so many, so that all take about as long."""


def is_detector(pipeline: str) -> bool:
    """Whether a pipeline gives scores of anomalies, and learns without labels."""
    return "anomaly." in pipeline


def rows(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield events with 8 features and their label inside."""
    rng = random.Random(seed)
    for number in range(count):
        features = {f"f{i}": round(rng.gauss(0, 1), 6) for i in range(8)}
        label = features["f0"] - features["f1"] + 0.5 * rng.gauss(0, 1) > 0
        yield {"id": f"event-{number}", "time": number, **features, "label": label}


def features_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return the features of an event."""
    return {name: value for name, value in row.items() if name.startswith("f")}


def config(broker: str, store: str, pipeline: str, name: str = "bench") -> Config:
    """Return the configuration that a bench runs with: defaults, and one metric."""
    return Config(
        stream={"name": name, "broker": broker, "store": store},
        event={"id": "id", "time": "time", "label": "label"},
        model={
            "task": "anomaly" if is_detector(pipeline) else "binary",
            "pipeline": pipeline,
            "metrics": ["ROCAUC"],
        },
    )
