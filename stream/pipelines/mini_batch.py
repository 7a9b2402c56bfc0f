"""Learning from several labelled events at once, where River can: ``learn_many``.

The events that wait are a part of the model: they are pickled with it into checkpoints, go with it
through trainings and promotions, and are learned at the same event wherever batches of records end
or a worker was started again. Predictions in between are those of the model as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, cast

from river import base, compose, preprocessing

from stream.errors import PipelineError


class SteadyScaler(preprocessing.StandardScaler):
    """A scaler that counts a frame row by row.

    River 0.26.1 makes a frame's variance of the mean of squares less the square of the mean: for a
    column that does not vary that is some rounding error, and below zero its root is complex.
    """

    def learn_many(self, X: Any) -> None:  # noqa: N803  # River's name
        """Count each row."""
        for row in X.to_dict("records"):
            self.learn_one(row)  # type: ignore[no-untyped-call]  # River leaves it so


class MiniBatchError(Exception):
    """Some events of a batch could not be learned, and will not be.

    The event that completed the batch becomes the dead letter that says so.
    """


class MiniBatchPipeline(compose.Pipeline):
    """A pipeline that learns from every ``size`` events together.

    Events of one batch may have different features: each kind is then learned together, those that
    came first at first.

    Parameters
    ----------
    steps
        Of a ``river.compose.Pipeline``; each must have ``learn_many``.
    size
        Events of a batch, 2 or more.

    Examples
    --------
    >>> from river import linear_model
    >>> model = MiniBatchPipeline(linear_model.LinearRegression(), size=2)
    >>> model.learn_one({"x": 1.0}, 2.0)
    >>> model.predict_one({"x": 1.0}), len(model.waiting)
    (0.0, 1)
    >>> model.learn_one({"x": 2.0}, 4.0)
    >>> bool(model.predict_one({"x": 1.0}) > 0), len(model.waiting)
    (True, 0)
    """

    def __init__(self, *steps: Any, size: int) -> None:
        super().__init__(*steps)
        self.size = size
        self.waiting: list[tuple[dict[str, Any], Any]] = []

    def learn_one(self, x: dict[str, Any], y: Any = None, **_params: Any) -> None:
        """Let an event wait, and learn from all that do when they are enough."""
        self.waiting.append((x, y))
        if len(self.waiting) < self.size:
            return
        # Emptied at first: what the model cannot learn from would be in its way for ever.
        waiting, self.waiting = self.waiting, []
        self._learn(waiting)

    def clone(
        self, new_params: dict[str, Any] | None = None, include_attributes: bool = False
    ) -> MiniBatchPipeline:
        """Return one that has learned nothing, and for which nothing waits."""
        plain = compose.Pipeline(*self.steps.items()).clone(new_params, include_attributes)
        return MiniBatchPipeline(*plain.steps.items(), size=self.size)

    def _learn(self, waiting: list[tuple[dict[str, Any], Any]]) -> None:
        import pandas as pd

        kinds: dict[tuple[str, ...], list[tuple[dict[str, Any], Any]]] = {}
        for x, y in waiting:
            kinds.setdefault(tuple(sorted(x)), []).append((x, y))
        failures = []
        for names, events in kinds.items():
            columns = {name: [x[name] for x, _ in events] for name in names}
            frame = pd.DataFrame(columns, index=range(len(events)))
            try:
                self.learn_many(frame, pd.Series([y for _, y in events]))
            except Exception as error:  # noqa: BLE001 (what the model raises, told below)
                failures.append(f"{len(events)} events ({type(error).__name__}: {error})")
        if failures:
            raise MiniBatchError(f"gave up of a mini-batch {' and '.join(failures)}")


def in_batches(model: Any, size: int | None) -> Any:
    """Return a model that learns in batches of a size, or the model itself without one.

    Raises
    ------
    PipelineError
        When pandas is not installed, or a step of the model learns only one by one.

    Examples
    --------
    >>> from river import preprocessing, tree
    >>> in_batches(preprocessing.StandardScaler() | tree.HoeffdingTreeClassifier(), 100)
    Traceback (most recent call last):
    ...
    stream.errors.PipelineError: model.mini_batch: a HoeffdingTreeClassifier learns only one by ...
    """
    if size is None:
        return model
    if find_spec("pandas") is None:
        raise PipelineError(
            "model.mini_batch needs pandas, which River learns many events from; install it with: "
            "pip install 'riverrun[minibatch]'"
        )
    for step in _all_steps(model):
        if not hasattr(step, "learn_many"):
            raise PipelineError(
                f"model.mini_batch: a {type(step).__name__} learns only one by one in River (it "
                "has no learn_many); leave mini_batch out, or use for example "
                "preprocessing.StandardScaler() | linear_model.LogisticRegression()"
            )
    steady = _steady(model)
    steps = steady.steps if isinstance(steady, compose.Pipeline) else {type(model).__name__: steady}
    return MiniBatchPipeline(*steps.items(), size=size)


def _steady(model: Any) -> Any:
    """Return a model whose scalers are steady ones; its own parts are changed."""
    if isinstance(model, compose.Pipeline):
        return compose.Pipeline(*((name, _steady(step)) for name, step in model.steps.items()))
    if isinstance(model, compose.TransformerUnion):
        model.transformers.update({n: _steady(part) for n, part in model.transformers.items()})
    if type(model) is preprocessing.StandardScaler and model.window_size is None:
        return SteadyScaler(with_std=model.with_std)
    return model


def _all_steps(model: Any) -> Iterator[base.Estimator]:
    if isinstance(model, compose.Pipeline):
        for step in model.steps.values():
            yield from _all_steps(step)
    elif isinstance(model, compose.TransformerUnion):
        for part in model.transformers.values():
            yield from _all_steps(part)
    else:
        yield cast("base.Estimator", model)
