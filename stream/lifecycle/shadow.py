"""A model in the shadow: it predicts the champion's events, and nobody is served by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from monitor.reference import Reference
from stream.events import Features
from stream.labels import Label
from stream.learner import Learner, Prediction
from stream.lifecycle.gate import Gate
from stream.sections import Task
from stream.watching.losses import losses

Role = Literal["challenger", "former"]
CHAMPION = ""
"""What the serving model is called among the predictions of an event."""


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


class Adopted(NamedTuple):
    """A candidate that was trained: its name, pipeline and model."""

    name: str
    pipeline: str
    learner: Learner


class Shadowed(NamedTuple):
    """A label, and what the champion and the shadows had said."""

    label: Label
    said: Mapping[str, Prediction]
    features: Features


class Decision(NamedTuple):
    """What the line is to do: let a shadow take the champion's place."""

    shadow: Shadow
    reference: Reference | None


def weigh(
    task: Task,
    shadows: Sequence[Shadow],
    said: Sequence[Shadowed],
    segments: Mapping[str, Sequence[str]],
) -> None:
    """Give the gates of the shadows the losses of labels, in order.

    Parameters
    ----------
    task
        What is predicted.
    shadows
        Each is compared with the champion where both said something.
    said
        The labels, and what was said.
    segments
        By feature, the segment of each label.
    """
    if not said:
        return
    labels = [one.label for one in said]
    champion = losses(task, labels, [one.said.get(CHAMPION) for one in said])
    for shadow in shadows:
        other = losses(task, labels, [one.said.get(shadow.key) for one in said])
        both = np.isfinite(champion) & np.isfinite(other)
        kept = {
            feature: [name for name, good in zip(names, both.tolist(), strict=True) if good]
            for feature, names in segments.items()
        }
        shadow.gate.update(champion[both], other[both], kept)
