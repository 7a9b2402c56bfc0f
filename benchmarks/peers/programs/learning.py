"""What every peer's program shares: its settings, and the loop of River's documentation as a step.

The programs of this folder run in environments of their own, without riverrun: they import their
library, River, and their neighbours here.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import ledger
import river
from river import (  # noqa: F401
    ensemble,
    forest,
    linear_model,
    metrics,
    naive_bayes,
    preprocessing,
    tree,
)

_NO_FEATURES = ("id", "time", "label")


class Settings:
    """What the harness wants of a program: one JSON object on its command line.

    Attributes
    ----------
    broker, events, predictions, group
        The broker's ``host:port``, two topics, and the consumer group.
    folder
        For the program's files.
    pipeline
        A River expression, or ``ledger``.
    saving
        How the program keeps its model; each says what it knows.
    seconds
        Between two of its checkpoints.
    session_ms
        After how long the broker gives up a member of the group that says nothing.
    """

    def __init__(self) -> None:
        given: dict[str, Any] = json.loads(sys.argv[1])
        self.broker: str = given["broker"]
        self.events: str = given["events"]
        self.predictions: str = given["predictions"]
        self.group: str = given["group"]
        self.folder = Path(given["folder"])
        self.pipeline: str = given["pipeline"]
        self.saving: str = given["saving"]
        self.seconds: float = given["seconds"]
        self.session_ms: int = given["session_ms"]


class Learner:
    """A model and its metric."""

    def __init__(self, pipeline: str) -> None:
        if pipeline == "ledger":
            self.model: Any = ledger.build()
        else:
            self.model = eval(pipeline, vars(river) | globals())
        self.metric = metrics.ROCAUC()

    def step(self, event: dict[str, Any]) -> dict[str, Any]:
        """Predict; score and learn where the label is there; return the prediction's record."""
        features = {name: value for name, value in event.items() if name not in _NO_FEATURES}
        said = self.model.predict_proba_one(features)
        if "label" in event:
            self.metric.update(event["label"], said)
            self.model.learn_one(features, event["label"])
        return {"id": event["id"], "prediction": said.get(True)}


def save(learner: Learner, path: Path) -> None:
    """Write a learner in place of the one before, whole or not at all."""
    beside = path.with_suffix(".new")
    beside.write_bytes(pickle.dumps(learner))
    beside.replace(path)


def load(settings: Settings) -> Learner:
    """Return the learner that was saved, or a new one."""
    path = file_of(settings)
    found: Learner = (
        pickle.loads(path.read_bytes()) if path.exists() else Learner(settings.pipeline)
    )
    return found


def file_of(settings: Settings) -> Path:
    """Return where a plain loop keeps its pickle."""
    return settings.folder / "model.pickle"


def tell(settings: Settings, learner: Learner) -> None:
    """Write down what a ledger has counted, for the harness."""
    if isinstance(learner.model, ledger.Ledger):
        counted = {str(number): times for number, times in learner.model.learned.items()}
        (settings.folder / "ledger.json").write_text(json.dumps(counted))
