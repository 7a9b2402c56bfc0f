"""A model in the shadow: it predicts the champion's events, and nobody is served by it."""

from __future__ import annotations

from typing import Literal

from stream.events import Features
from stream.labels import Label
from stream.learner import Learner, Prediction
from stream.lifecycle.gate import Gate

Role = Literal["challenger", "former"]


class Shadow:
    """One such model, with the evidence on it.

    Parameters
    ----------
    name
        Unique among the shadows: a candidate's name, or a version.
    role
        A challenger wants to be promoted; a former champion goes on for the probation.
    version
        What it is or will be called when it serves.
    learner
        The model.
    gate
        Its losses beside the champion's. For a former champion it is the challenger.
    description
        The pipeline, for people.

    Attributes
    ----------
    failed
        Why it dropped out, where its model raised.
    """

    def __init__(
        self,
        name: str,
        role: Role,
        version: str,
        learner: Learner,
        gate: Gate,
        description: str = "",
    ) -> None:
        self.name = name
        self.role: Role = role
        self.version = version
        self.learner = learner
        self.gate = gate
        self.description = description
        self.failed: str | None = None

    @property
    def key(self) -> str:
        """What it is called among the predictions of an event.

        These wait for their label longer than a run may last, and the next run's candidates have
        the same names.
        """
        return f"{self.version}/{self.name}"

    def predict(self, features: Features) -> Prediction:
        """Return its prediction; a model that raises drops out and predicts nothing."""
        if self.failed is not None:
            return None
        try:
            return self.learner.predict(features)
        except Exception as error:  # noqa: BLE001 (a shadow's error must not reach the champion)
            self.failed = f"predict raised {type(error).__name__}: {error}"
            return None

    def learn(self, features: Features, label: Label | None) -> None:
        """Learn from an event; a model that raises drops out."""
        if self.failed is not None:
            return
        try:
            self.learner.learn(features, label)
        except Exception as error:  # noqa: BLE001 (as for predict)
            self.failed = f"learn raised {type(error).__name__}: {error}"
