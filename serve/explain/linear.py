"""Linear models: a weight times a feature, as the transformers hand it over."""

from __future__ import annotations

from typing import Any

from river import linear_model
from river.linear_model.base import GLM

from serve.explain.deadline import Deadline
from serve.explain.explanation import CannotExplainError, Explanation
from serve.explain.steps import Steps
from serve.explain.target import Target
from stream.events import Features


def explain_linear(
    model: Any, features: Features, target: Target, deadline: Deadline
) -> Explanation:
    """Explain a linear model exactly: what it adds up is what it is made of.

    The base is the intercept: what the model says of an event whose transformed features are all
    0, which behind a StandardScaler is the mean.

    Raises
    ------
    CannotExplainError
        Not a linear model, or one that sees features which depend on several inputs.
    """
    steps = Steps(model)
    last = steps.last
    if not isinstance(last, GLM | linear_model.PAClassifier | linear_model.PARegressor):
        raise CannotExplainError(f"{type(last).__name__} is no linear model with one weight each")
    weights = last.weights
    made, origins = steps.transform(features), steps.origins(features, deadline)
    base = float(last.intercept)
    contributions = dict.fromkeys(features, 0.0)
    for key, value in made.items():
        if key not in weights or not isinstance(value, bool | int | float):
            continue
        term = float(weights[key]) * value
        if key in origins:
            contributions[origins[key]] += term
        else:
            base += term  # a constant, such as what an imputer fills in
    said, space = _prediction(last, made, base + sum(contributions.values()), target)
    if abs(said - target.said) > 1e-9 * max(1.0, abs(said)):
        name = type(last).__name__
        raise CannotExplainError(f"{name} says {target.said} where its sum is {said}")
    if target.name == "false":  # the odds of the other class
        base, contributions = -base, {name: -part for name, part in contributions.items()}
    total = base + sum(contributions.values())
    return Explanation("linear", space, target.name, total, base, contributions)


def _prediction(last: Any, made: dict[Any, Any], total: float, target: Target) -> tuple[float, str]:
    """Return what a model makes of its sum, and what the sum is called."""
    if target.is_binary:
        if isinstance(last, GLM):
            positive = float(last.loss.mean_func(total))
        else:
            positive = float(last.predict_proba_one(made)[True])
        return (1.0 - positive if target.name == "false" else positive), "log_odds"
    if isinstance(last, GLM):
        said = float(last.loss.mean_func(total))
        return said, "value" if said == total else "link"
    return total, "value"
