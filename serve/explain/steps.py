"""A pipeline taken apart: what its transformers make of an event, and of which feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from river import compose

from serve.explain.deadline import Deadline
from serve.explain.explanation import CannotExplainError
from stream.events import Features


class Steps:
    """The transformers of a model, and what comes behind them.

    Parameters
    ----------
    model
        Any River estimator.

    Attributes
    ----------
    last
        The estimator that predicts.

    Examples
    --------
    >>> from river import linear_model, preprocessing
    >>> steps = Steps(preprocessing.OneHotEncoder() | linear_model.LinearRegression())
    >>> steps.transform({"c": "a"})
    {'c_a': 1}
    >>> steps.origins({"c": "a"}, Deadline(1))
    {'c_a': 'c'}
    """

    def __init__(self, model: Any) -> None:
        self._transformers: Sequence[Any] = ()
        self.last = model
        while isinstance(self.last, compose.Pipeline):
            *before, self.last = self.last.steps.values()
            self._transformers = [*self._transformers, *before]

    def transform(self, features: Features) -> dict[Any, Any]:
        """Return what the last step sees.

        Raises
        ------
        CannotExplainError
            When a transformer is none, or raises.
        """
        found: Any = features
        for step in self._transformers:
            if not hasattr(step, "transform_one"):
                raise CannotExplainError(f"{type(step).__name__} does not transform")
            try:
                found = step.transform_one(found)
            except Exception as error:  # noqa: BLE001 - a transformer may raise anything
                raise CannotExplainError(f"{type(step).__name__} raised {error!r}") from None
        return dict(found)

    def origins(self, features: Features, deadline: Deadline) -> dict[Any, str]:
        """Return the input feature that each transformed one depends on, for one event.

        Found by trial: what changes when a feature is missing, or has another value. What depends
        on none is left out.

        Raises
        ------
        CannotExplainError
            Where one depends on several features, or time is up.
        """
        if not self._transformers:
            return {name: name for name in features}
        made = self.transform(features)
        origins: dict[Any, str] = {}
        for name, value in features.items():
            deadline.check()
            changed = self._changed(made, features, name, value)
            for key in changed:
                if key in origins:
                    raise CannotExplainError(
                        f"{key!r} depends on both {origins[key]!r} and {name!r}"
                    )
                origins[key] = name
        return origins

    def _changed(self, made: dict[Any, Any], features: Features, name: str, value: Any) -> set[Any]:
        """Return what changes without a feature, or with another value of it."""
        if value is None:  # what stands in for nothing belongs to the base
            return set()
        without = {other: kept for other, kept in features.items() if other != name}
        trials: list[Features] = [without, features | {name: _another(value)}]
        changed: set[Any] = set()
        failed = 0
        for trial in trials:
            try:
                again = self.transform(trial)
            except CannotExplainError:  # some transformers need every feature
                failed += 1
                continue
            changed |= {k for k, v in made.items() if k not in again or again[k] != v}
        if failed == len(trials):
            raise CannotExplainError(f"nothing can stand for {name!r} in its transformers")
        return changed


def _another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1.0 + abs(value) / 3
    return f"{value}\0"
