"""How River's linear models are read as parts, and written back: weights, and nothing else.

The state of an optimizer (the number of its steps, the moments of Adam and its kin) stays each
shard's own: it says how the shard's next steps are made, not where the weights are.
"""

from __future__ import annotations

from typing import Any

from river import linear_model, optim

from stream.sharding.averaging.part import Key, Part
from stream.sharding.averaging.rule import Rule

_STEPPING = (
    optim.SGD, optim.Momentum, optim.AdaBound, optim.AdaDelta, optim.AdaGrad, optim.AdaMax,
    optim.Adam, optim.AMSGrad, optim.Nadam, optim.RMSProp,
)  # fmt: skip
"""Optimizers that move weights from where they are. FTRL makes them anew from sums of its own."""

_BIAS: Key = ("intercept",)


def _unfit_glm(model: Any) -> str | None:
    if type(model.optimizer) not in _STEPPING:
        return f"with the optimizer {type(model.optimizer).__name__}"
    if model.l1:
        return "with l1, whose penalty is kept beside the weights"
    if type(model.initializer) is not optim.initializers.Zeros:
        return f"with the initializer {type(model.initializer).__name__}"
    return None


def _read_glm(model: Any) -> Part:
    weights: dict[Key, float] = {("w", name): float(w) for name, w in model.weights.items()}
    weights[_BIAS] = float(model.intercept - model.intercept_init)
    return Part(weights=weights)


def _write_glm(model: Any, part: Part) -> None:
    for key, value in part.weights.items():
        if key == _BIAS:
            model.intercept = model.intercept_init + value
        else:
            model._weights[key[1]] = value  # noqa: SLF001


def _read_pa(model: Any) -> Part:
    weights: dict[Key, float] = {("w", name): float(w) for name, w in model.weights.items()}
    return Part(weights=weights | {_BIAS: float(model.intercept)})


def _write_pa(model: Any, part: Part) -> None:
    for key, value in part.weights.items():
        if key == _BIAS:
            model.intercept = value
        else:
            model.weights[key[1]] = value


def _unfit_softmax(model: Any) -> str | None:
    found = type(model.optimizer)
    return None if found in _STEPPING else f"with the optimizer {found.__name__}"


def _read_softmax(model: Any) -> Part:
    return Part(
        weights={
            (label, name): float(weight)
            for label, weights in model.weights.items()
            for name, weight in weights.items()
        },
        members={(label,): None for label in model.weights},
    )


def _write_softmax(model: Any, part: Part) -> None:
    for (label,) in part.members:
        _ = model.weights[label]
    for (label, name), weight in part.weights.items():
        model.weights[label][name] = weight


_GLM = Rule(_read_glm, _write_glm, _unfit_glm)
_PA = Rule(_read_pa, _write_pa)

LINEAR: dict[type, Rule] = {
    linear_model.LinearRegression: _GLM,
    linear_model.LogisticRegression: _GLM,
    linear_model.Perceptron: _GLM,
    linear_model.PAClassifier: _PA,
    linear_model.PARegressor: _PA,
    linear_model.SoftmaxRegression: Rule(_read_softmax, _write_softmax, _unfit_softmax),
}
