"""Choosing how a prediction is explained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from serve.explain.deadline import Deadline
from serve.explain.explanation import CannotExplainError, Explanation
from serve.explain.linear import explain_linear
from serve.explain.sampling import explain_by_sampling
from serve.explain.target import Target
from serve.explain.trees import explain_trees
from stream.events import Features
from stream.learner import Learner

Method = Literal["auto", "linear", "tree", "sampling"]


def explain(
    learner: Learner,
    features: Features,
    background: Sequence[Features],
    *,
    seconds: float,
    method: Method = "auto",
    wanted: str | None = None,
    seed: int = 0,
) -> tuple[Explanation, list[str]]:
    """Return which features a prediction is owed to, and why not by a more exact method.

    Parameters
    ----------
    learner
        The model; it is only asked.
    features
        Of the event.
    background
        Events that stand for an absent feature when it comes to sampling.
    seconds
        That may be spent.
    method
        ``auto`` takes the first that can: ``linear``, ``tree``, ``sampling``.
    wanted
        The class to explain, by its name.
    seed
        Of the sampling.

    Raises
    ------
    CannotExplainError
        Where no method can; the message says why.

    Examples
    --------
    >>> from river import linear_model
    >>> model = linear_model.LinearRegression(intercept_init=1.0)
    >>> model._weights["x"] = 2.0
    >>> found, _ = explain(Learner(model, "regression"), {"x": 3.0}, [], seconds=1.0)
    >>> found.base, dict(found.contributions), found.explained
    (1.0, {'x': 6.0}, 7.0)
    """
    deadline = Deadline(seconds)
    target = Target(learner, features, wanted)
    reasons: list[str] = []
    for name, exact in (("linear", explain_linear), ("tree", explain_trees)):
        if method not in ("auto", name):
            continue
        try:
            return exact(learner.model, features, target, deadline), reasons
        except CannotExplainError as error:
            reasons.append(f"{name}: {error}")
    if method in ("auto", "sampling"):
        try:
            found = explain_by_sampling(features, target, background, deadline, seed=seed)
        except CannotExplainError as error:
            reasons.append(f"sampling: {error}")
        else:
            return found, reasons
    raise CannotExplainError("; ".join(reasons))
