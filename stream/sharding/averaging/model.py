"""A whole model as parts: its pipeline is walked, and what cannot be averaged is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from river import compose, feature_extraction, preprocessing

from stream.learner import Learner
from stream.sharding.averaging.linear import LINEAR
from stream.sharding.averaging.part import Key, Part, Parts
from stream.sharding.averaging.rule import Rule
from stream.sharding.averaging.statistics import STATISTICS

_RULES: dict[type, Rule] = STATISTICS | LINEAR
_CLASSES = "classes"

_STATELESS = (
    compose.Discard, compose.FuncTransformer, compose.Prefixer, compose.Renamer, compose.Select,
    compose.SelectType, compose.Suffixer, feature_extraction.BagOfWords,
    feature_extraction.PolynomialExtender, preprocessing.Binarizer, preprocessing.FeatureHasher,
    preprocessing.Normalizer,
)  # fmt: skip
"""Steps that learn nothing."""


def refusals(model: Any) -> list[str]:
    """Return what of a model cannot be averaged, each with its name; nothing where all can.

    Examples
    --------
    >>> from river import linear_model, preprocessing, tree
    >>> refusals(preprocessing.StandardScaler() | linear_model.LogisticRegression())
    []
    >>> refusals(tree.HoeffdingTreeClassifier())[0].split(";")[0]
    'HoeffdingTreeClassifier cannot be averaged'
    """
    found = []
    for _, estimator in _walk(model, ""):
        name, rule = type(estimator).__name__, _RULES.get(type(estimator))
        if rule is None:
            found.append(f"{name} cannot be averaged")
        elif (why := rule.unfit(estimator)) is not None:
            found.append(f"{name} {why} cannot be averaged")
    return [f'{one}; use share = "vote" or "independent"' for one in found]


def read_model(learner: Learner) -> Parts:
    """Return what a learner has learned."""
    found = {place: _RULES[type(one)].read(one) for place, one in _walk(learner.model, "")}
    if learner.classes:
        labels: dict[Key, None] = {(label,): None for label in learner.classes.values()}
        found[_CLASSES] = Part(members=labels)
    return Parts(found)


def write_model(learner: Learner, parts: Parts) -> None:
    """Let a learner have learned what parts say; what is in no part stays as it is."""
    for place, one in _walk(learner.model, ""):
        if (part := parts.by_place.get(place)) is not None:
            _RULES[type(one)].write(one, part)
    for (label,) in parts.by_place.get(_CLASSES, Part()).members:
        learner.classes.setdefault(str(label), label)  # type: ignore[arg-type]


def _walk(model: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield every estimator that learns, and where it stands."""
    if isinstance(model, compose.Pipeline):
        inner: Any = model.steps
    elif isinstance(model, compose.TransformerUnion | compose.TransformerProduct):
        inner = model.transformers
    else:
        if type(model) not in _STATELESS:
            yield place, model
        return
    for name, one in inner.items():
        yield from _walk(one, f"{place}/{name}")
