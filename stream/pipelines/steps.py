"""Whether objects can stand where they stand in a pipeline.

River stores any object as a step, and finds out at the first event, in the worker.
"""

from __future__ import annotations

from typing import Any


def transformer_problem(step: Any) -> str | None:
    """Return what keeps an estimator from standing before another one, ``None`` if nothing does.

    Examples
    --------
    >>> from river import linear_model, preprocessing
    >>> transformer_problem(preprocessing.StandardScaler())
    >>> transformer_problem(linear_model.LinearRegression())
    "a LinearRegression is not a transformer; it can only be a pipeline's last step"
    """
    from river import base

    if isinstance(step, base.Transformer | base.SupervisedTransformer | base.AnomalyFilter):
        return None
    return f"{describe(step)} is not a transformer; it can only be a pipeline's last step"


def steps_problem(built: Any) -> str | None:
    """Return what is wrong with the steps of a pipeline or union, ``None`` for anything else.

    Examples
    --------
    >>> from river import compose
    >>> steps_problem(compose.Pipeline())
    'a Pipeline needs at least one step'
    """
    from river import base, compose

    if type(built) is compose.Pipeline:
        steps = list(built.steps.values())
        transformers = steps[:-1]
    elif isinstance(built, compose.TransformerUnion):
        steps = transformers = list(built.transformers.values())
    else:
        return None
    if not steps:
        return f"{describe(built)} needs at least one step"
    for step in steps:
        if not isinstance(step, base.Estimator):
            return f"found {describe(step)} as a step of a pipeline"
    problems = [transformer_problem(step) for step in transformers]
    return next((each for each in problems if each is not None), None)


def describe(value: Any) -> str:
    """Return what a value is, for the "found" of an error message.

    Examples
    --------
    >>> describe("SGD"), describe(int), describe([])
    ("'SGD'", 'the class int', 'a list')
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if value is None or isinstance(value, str | int | float):
        return f"{value!r:.40}"
    return f"a {type(value).__name__}"
