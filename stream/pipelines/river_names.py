"""Which names of River a pipeline may use, and how far their parameters may go.

River has no list of its harmless classes, so this is one: the public modules that hold
estimators and the things they are made of. Modules that read files, open connections, run code or
serve no task of riverrun are left out; so are the few classes that take a Python function.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

MODULES: Final = (
    "anomaly",
    "bandit",
    "compose",
    "conf",
    "drift",
    "drift.binary",
    "dummy",
    "ensemble",
    "facto",
    "feature_extraction",
    "feature_selection",
    "forest",
    "imblearn",
    "linear_model",
    "metrics",
    "misc",
    "model_selection",
    "multiclass",
    "naive_bayes",
    "neighbors",
    "optim",
    "optim.initializers",
    "optim.losses",
    "optim.schedulers",
    "preprocessing",
    "proba",
    "rules",
    "stats",
    "time_series",
    "tree",
    "tree.splitter",
    "utils",
)

CLOSED_MODULES: Final = frozenset(
    {
        "active",
        "base",
        "checks",
        "cluster",
        "compat",
        "covariance",
        "datasets",
        "evaluate",
        "multioutput",
        "reco",
        "sketch",
        "stream",
    }
)

CLOSED_CLASSES: Final = frozenset(
    {"compose.FuncTransformer", "compose.TargetTransformRegressor", "optim.Optimizer"}
)

# Parameters that hold Python functions, or a regular expression, which is code too: a hostile
# one can take for ever on a harmless event.
CODE_PARAMETERS: Final = frozenset(
    {"agg_func", "dist_func", "preprocessor", "tokenizer", "tokenizer_pattern"}
)

# Parameters whose value River turns into memory or loops: without a bound, one short line asks for
# a billion trees. Found by building every class with 10**6 for each of its numbers.
LARGEST: Final[Mapping[str, int]] = MappingProxyType(
    {
        "code_size": 1_000,
        "d": 100,
        "degree": 10,
        "height": 12,
        "n_components": 10_000,
        "n_estimators": 1_000,
        "n_factors": 1_000,
        "n_models": 1_000,
        "n_thresholds": 10_000,
        "n_trees": 200,
        "sd": 100,
        "window_size": 1_000_000,
    }
)

# Those among them that make River clone the estimators it is given.
COPIES: Final = ("code_size", "n_estimators", "n_models", "n_trees")

# What a parameter takes whose name is or ends in this word. River looks at the type only when it
# learns, which is in the worker and too late.
KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "classifier": "base.Classifier",
        "initializer": "optim.base.Initializer",
        "loss": "optim.base.Loss",
        "metric": "metrics.base.Metric",
        "model": "base.Estimator",
        "optimizer": "optim.base.Optimizer",
        "regressor": "base.Regressor",
        "transformer": "base.Estimator",
    }
)


@functools.cache
def classes(module: str) -> Mapping[str, type[Any]]:
    """Return the classes of one of ``MODULES`` that a pipeline may build.

    Parameters
    ----------
    module
        Name without ``river.``, such as ``"optim.losses"``.

    Returns
    -------
    Mapping[str, type]
        Public, concrete classes by name. The module is imported at the first call.

    Examples
    --------
    >>> sorted(classes("optim.schedulers"))
    ['Constant', 'InverseScaling', 'Optimal']
    """
    from river import base, utils

    found = importlib.import_module(f"river.{module}")
    return MappingProxyType(
        {
            name: value
            for name in found.__all__
            if inspect.isclass(value := getattr(found, name, None))
            and (issubclass(value, base.Base) or value is utils.Rolling)
            and not inspect.isabstract(value)
            and f"{module}.{name}" not in CLOSED_CLASSES
        }
    )


def kind(parameter: str) -> type[Any] | None:
    """Return the class whose instances a parameter takes, ``None`` where anything may stand.

    Parameters
    ----------
    parameter
        Name of a constructor's parameter, of any class of River.

    Returns
    -------
    type or None
        One of River's base classes.

    Examples
    --------
    >>> kind("weight_optimizer").__name__
    'Optimizer'
    >>> kind("window_size") is None
    True
    """
    path = KINDS.get(parameter.rpartition("_")[2])
    if path is None:
        return None
    module, _, name = path.rpartition(".")
    found: type[Any] = getattr(importlib.import_module(f"river.{module}"), name)
    return found
