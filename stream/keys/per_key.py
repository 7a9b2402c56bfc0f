"""A learner with a model for each key: the shared one, the parent, answers until a key's can."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from stream.config import Config
from stream.event_shape import Features
from stream.keys.key_models import KeyModel, KeyModels
from stream.labels import Label
from stream.learner import PREDICT, Learner, Prediction
from stream.sections import Task

PARENT, KEY = "parent", "key"
"""Which model a prediction is of."""

MAX_KEY = 256
"""Characters of a key; an event with a longer one is the parent's alone."""


class KeySettings(msgspec.Struct, frozen=True):
    """What ``[model]`` says of models per key; see ``stream.model_section``."""

    per: str
    is_feature: bool
    begin: str
    min_events: int
    in_memory: int
    max_keys: int


def key_settings(config: Config) -> KeySettings | None:
    """Return what a configuration says of models per key; None where there are none."""
    model = config.model
    if model.per is None:
        return None
    return KeySettings(
        model.per,
        model.per_feature,
        model.per_begin,
        model.per_min_events,
        model.per_in_memory,
        model.per_max_keys,
    )


class Lookup(Protocol):
    """Where a learner finds the models of keys."""

    def get(self, key: str) -> KeyModel | None:
        """Return a key's model, in memory; None where the key has none."""
        ...


class PerKeyLearner(Learner):
    """A shared model, and one for each key that has been taught.

    The parent learns from every event. A key's model begins with the key's first label, and answers
    once it has learned from ``min_events`` of them. Events without a key that can be used, and
    those of keys without an answer, are answered by the parent.

    Parameters
    ----------
    model
        A River estimator that has learned nothing.
    task
        As for ``Learner``.
    settings
        What the configuration says.

    Attributes
    ----------
    keys
        The models of keys. A learner that was unpickled has none, until it is given them.
    served
        What answers from the models of keys; ``keys``, unless a process only serves.
    answers
        How many predictions are of the parent, and of a key's model.
    unkeyed
        How many events were learned from that have no key which can be used.

    Examples
    --------
    >>> from river import linear_model
    >>> settings = KeySettings("who", False, "fresh", 1, 10, 10)
    >>> learner = PerKeyLearner(linear_model.LogisticRegression(), "binary", settings)
    >>> learner.predict({"who": "a", "x": 1.0}), learner.answered_by
    (0.5, 'parent')
    >>> learner.learn({"who": "a", "x": 1.0}, True)
    >>> learner.predict({"who": "a", "x": 1.0}) > 0.5, learner.answered_by
    (True, 'key')
    >>> learner.predict({"who": "b", "x": 1.0}) > 0.5, learner.answered_by
    (True, 'parent')
    """

    def __init__(self, model: Any, task: Task, settings: KeySettings) -> None:
        super().__init__(model, task)
        self._blank = pickle.dumps(model, 5)
        self._of_key = PREDICT[task]
        self.answers = {PARENT: 0, KEY: 0}
        self.unkeyed = 0
        self.answered_by = PARENT
        self.configure(settings)

    def configure(self, settings: KeySettings) -> None:
        """Go on with other settings, and with no keys."""
        self.settings = settings
        self.keys = KeyModels(self._of_key, settings.max_keys, settings.in_memory)
        self.served: Lookup = self.keys

    @property
    def is_full(self) -> bool:
        """Whether a checkpoint had better come now, so that models can leave memory."""
        return self.keys.is_full

    def key_of(self, features: Features) -> str | None:
        """Return the key of an event, or None where it has none that can be used.

        Integers, and texts of 1 to ``MAX_KEY`` characters without NUL, can be.
        """
        found = features.get(self.settings.per)
        if isinstance(found, str):
            return found if 0 < len(found) <= MAX_KEY and "\x00" not in found else None
        return str(found) if isinstance(found, int) and not isinstance(found, bool) else None

    def seen(self, features: Features) -> Features:
        """Return what the models see of features."""
        if self.settings.is_feature or self.settings.per not in features:
            return features
        seen = features.copy()
        del seen[self.settings.per]
        return seen

    def predict(self, features: Features) -> Prediction:
        """Return the prediction of the key's model, or of the parent; ``answered_by`` says whose.

        May raise whatever the model raises.
        """
        key, seen = self.key_of(features), self.seen(features)
        kept = None if key is None else self.served.get(key)
        if kept is not None and kept.learned >= self.settings.min_events:
            said = self._of_key(kept.model, seen)
            if said is not None:
                self.answered_by = KEY
                return said
        self.answered_by = PARENT
        return self._predict(seen)

    def predict_alone(self, features: Features) -> Prediction:
        """Return the parent's prediction."""
        return self._predict(self.seen(features))

    def answering(self, features: Features) -> tuple[Learner, Features]:
        """Return a learner of the model that answers for features, and what it sees of them.

        May raise whatever the model raises.
        """
        self.predict(features)
        model, key = self.model, self.key_of(features)
        if self.answered_by == KEY and key is not None and (kept := self.served.get(key)):
            model = kept.model
        alone = Learner(model, self.task)
        alone.classes = self.classes
        alone.answered_by = self.answered_by
        return alone, self.seen(features)

    def learn(self, features: Features, label: Label | None) -> None:
        """Teach the parent, and the key's model. May raise whatever a model raises."""
        key, seen = self.key_of(features), self.seen(features)
        if key is None:
            super().learn(seen, label)
            self.unkeyed += 1
            return
        kept = self.keys.get(key)
        begun = self._begun() if kept is None else None
        super().learn(seen, label)
        if kept is None:
            kept = self.keys.begin(key, begun, seen)
        self.keys.touch(key, kept)  # first: a model that raises may have changed
        self.keys.shrink()
        if self.learns_without_label:
            kept.model.learn_one(seen)
        else:
            kept.model.learn_one(seen, label)
        kept.learned += 1

    def told(self) -> dict[str, Any]:
        """Return what there is of keys as plain data, equal for equal histories."""
        return {
            **msgspec.structs.asdict(self.keys.sum()),
            **self.keys.told(),
            "answers": self.answers,
            "unkeyed": self.unkeyed,
        }

    def _begun(self) -> Any:
        is_copy = self.settings.begin == "copy"
        data = pickle.dumps(self.model, 5) if is_copy else self._blank
        return pickle.loads(data)  # noqa: S301 (made a moment ago, or when the process began)

    def __getstate__(self) -> dict[str, Any]:
        return {
            **super().__getstate__(),
            "settings": self.settings,
            "blank": self._blank,
            "answers": self.answers,
            "unkeyed": self.unkeyed,
            "keys": self.keys.told(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        Learner.__init__(self, state["model"], state["task"])
        self.classes = state["classes"]
        self._blank, self._of_key = state["blank"], PREDICT[self.task]
        self.answers, self.unkeyed = state["answers"], state["unkeyed"]
        self.answered_by = PARENT
        self.configure(state["settings"])
        self.told_before: Mapping[str, int] = state["keys"]
