"""River pipelines and metrics, read from text without running any of it.

The text looks like Python but is never given to ``eval``: a walker builds what it names from
River's own classes, so a pipeline may come from a configuration file or over HTTP.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stream.errors import PipelineError
from stream.pipelines.reader import Reader
from stream.pipelines.steps import describe
from stream.pipelines.syntax import canonical, parse
from stream.sections import DEFAULT_METRICS

if TYPE_CHECKING:
    from river import base, metrics

__all__ = ["canonical", "read_metrics", "read_pipeline"]

# Asking ROC AUC for its number, which most streams have, loads what it integrates by.
_NUMBERS = frozenset(name for names in DEFAULT_METRICS.values() for name in names)


def read_pipeline(text: str, seed: int = 42) -> base.Estimator:
    """Build a River estimator from its text.

    Parameters
    ----------
    text
        A River expression: calls of ``module.Class(...)``, the operators ``| + *`` between
        estimators, literals, and the names ``int float str bool``.
    seed
        Given to every part that has a ``seed`` and was not given one, so that a run can be
        repeated.

    Returns
    -------
    river.base.Estimator
        A new, untrained estimator. The first call imports the modules of River that are named.

    Raises
    ------
    PipelineError
        The text is not a pipeline. The message names the position, what was found there and what
        is allowed.

    Examples
    --------
    >>> print(read_pipeline("preprocessing.StandardScaler() | linear_model.LogisticRegression()"))
    StandardScaler | LogisticRegression
    >>> read_pipeline("linear_model.LogisticRegresion()")
    Traceback (most recent call last):
        ...
    stream.errors.PipelineError: column 1: 'linear_model.LogisticRegresion': linear_model has no \
class LogisticRegresion; did you mean LogisticRegression?
    """
    from river import base

    reader = Reader(text, seed)
    tree = parse(text)
    found = reader.read(tree)
    if not isinstance(found, base.Estimator):
        raise reader.mistake(tree, f"found {describe(found)} where an estimator is expected")
    return found


def read_metrics(names: Sequence[str]) -> dict[str, metrics.base.Metric]:
    """Build metrics from their names.

    Parameters
    ----------
    names
        Classes of ``river.metrics``, with parameters where wanted: ``"ROCAUC"``,
        ``"FBeta(beta=2)"``.

    Returns
    -------
    dict[str, river.metrics.base.Metric]
        New metrics, in the order given. The key is the text.

    Raises
    ------
    PipelineError
        A name is unknown, stands twice, or does not give a single number.

    Examples
    --------
    >>> read_metrics(["MAE", "FBeta(beta=2)"])
    {'MAE': MAE: 0., 'FBeta(beta=2)': FBeta: 0.00%}
    """
    found: dict[str, metrics.base.Metric] = {}
    for name in names:
        if name in found:
            raise PipelineError(f"metric {name!r} stands twice; name each metric once")
        try:
            found[name] = _read_metric(name)
        except PipelineError as error:
            raise PipelineError(f"metric {name[:60]!r}: {error}") from error
    return found


def _read_metric(name: str) -> metrics.base.Metric:
    from river import metrics

    tree = parse(name)
    call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
    if isinstance(call.func, ast.Name):
        module = ast.copy_location(ast.Name("metrics"), call.func)
        call.func = ast.copy_location(ast.Attribute(module, call.func.id), call.func)
    reader = Reader(name, seed=0)
    found = reader.read(ast.copy_location(call, tree))
    if not isinstance(found, metrics.base.Metric):
        raise reader.mistake(tree, f"found {describe(found)} where a metric is expected")
    if name in _NUMBERS:
        return found
    try:
        float(found.get())
    except (NotImplementedError, TypeError) as error:
        raise reader.mistake(tree, "a report, not a metric: it gives no single number") from error
    return found
