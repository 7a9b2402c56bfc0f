"""Trees: what each split on an event's path does to the mean below it.

The value of a node is the mean of what its leaves have seen; a split's feature is owed the step
from a node to its child (Saabas' path contributions). What the model in a leaf says beyond its
mean, such as River's naive Bayes, is told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from river import ensemble, forest
from river.tree.hoeffding_tree import HoeffdingTree
from river.tree.nodes.branch import DTBranch

from serve.explain.deadline import Deadline
from serve.explain.explanation import CannotExplainError, Explanation
from serve.explain.steps import Steps
from serve.explain.target import Target
from stream.events import Features

_SUMS = (
    forest.ARFClassifier,
    forest.ARFRegressor,
    ensemble.BaggingClassifier,
    ensemble.BaggingRegressor,
)


class Path(NamedTuple):
    """One tree's part: its base, what each transformed feature adds, and its prediction."""

    base: float
    steps: dict[Any, float]
    said: float


def explain_trees(
    model: Any, features: Features, target: Target, deadline: Deadline
) -> Explanation:
    """Explain a tree, or a forest or bagging of trees as the sum that it is.

    Raises
    ------
    CannotExplainError
        No trees, or ones whose votes do not add up, or time is up.
    """
    steps = Steps(model)
    made, origins = steps.transform(features), steps.origins(features, deadline)
    base, leaf_model = 0.0, 0.0
    contributions = dict.fromkeys(features, 0.0)
    for weight, tree in _weighted(steps.last, made):
        deadline.check()
        path = path_of(tree, made, target)
        base += weight * path.base
        for key, step in path.steps.items():
            name = origins.get(key, str(key))  # an absent feature goes the way of the most
            contributions[name] = contributions.get(name, 0.0) + weight * step
        leaf_model += weight * (path.said - path.base - sum(path.steps.values()))
    found = Explanation(
        "tree", target.space, target.name, target.said, base, contributions, leaf_model
    )
    if not found.is_whole:
        raise CannotExplainError(f"the votes of {type(steps.last).__name__} do not add up")
    return found


def path_of(tree: HoeffdingTree, features: dict[Any, Any], target: Target) -> Path:
    """Return what one tree says of transformed features, step by step."""
    root = tree._root  # noqa: SLF001 - River shows a tree only as a drawing
    if root is None:
        raise CannotExplainError("the tree has not learned from anything yet")
    nodes = list(root.walk(features)) if isinstance(root, DTBranch) else [root]
    base = value = _mean(root, target) or 0.0
    steps: dict[Any, float] = {}
    for node, child in pairwise(nodes):
        if not isinstance(node, DTBranch) or child is node:
            continue
        below = _mean(child, target)
        if below is None:
            continue  # nothing was seen there: the value above goes on
        feature: Any = node.feature  # type: ignore[attr-defined]
        steps[feature] = steps.get(feature, 0.0) + below - value
        value = below
    return Path(base, steps, _said(tree, features, target))


def _said(tree: Any, features: dict[Any, Any], target: Target) -> float:
    if target.name is None:
        return float(tree.predict_one(features))
    return _of_class(tree.predict_proba_one(features), target)


def _of_class(found: dict[Any, float], target: Target) -> float:
    return sum(share for name, share in found.items() if _name(name, target) == target.name)


def _name(label: Any, target: Target) -> str:
    return str(label).lower() if target.is_binary else str(label)


def _mean(node: Any, target: Target) -> float | None:
    """Return the mean below a node: of the values, or the share of the class; None of nothing."""
    total, weight = 0.0, 0.0
    for leaf in _leaves(node):
        stats = leaf.stats
        if target.name is None:
            seen = float(stats.mean.n) if stats is not None else 0.0
            total += seen * stats.mean.get() if seen else 0.0
        else:
            seen = float(sum(stats.values()))
            total += _of_class(stats, target)
        weight += seen
    return total / weight if weight > 0 else None


def _leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, DTBranch):
        for child in node.children:
            if child is not None:
                yield from _leaves(child)
    else:
        yield node


def _weighted(last: Any, made: dict[Any, Any]) -> list[tuple[float, HoeffdingTree]]:
    """Return the trees of a model, and what each vote counts."""
    if isinstance(last, HoeffdingTree):
        return [(1.0, last)]
    members = list(last) if isinstance(last, _SUMS) else []
    if not members or not all(isinstance(member, HoeffdingTree) for member in members):
        raise CannotExplainError(f"{type(last).__name__} is no tree, and no mean of trees")
    if isinstance(last, forest.ARFRegressor):
        return list(zip(_of_regressors(last, len(members)), members, strict=True))
    if isinstance(last, ensemble.BaggingRegressor):
        return [(1.0 / len(members), member) for member in members]
    votes = _of_classifiers(last, len(members))
    counted = [
        vote * sum(member.predict_proba_one(made).values())
        for vote, member in zip(votes, members, strict=True)
    ]
    if not sum(counted):
        raise CannotExplainError("no tree has learned from anything yet")
    return [(vote / sum(counted), member) for vote, member in zip(votes, members, strict=True)]


def _of_classifiers(last: Any, count: int) -> list[float]:
    """Return the votes before they are made to add up to 1; see River's ARFClassifier."""
    if not isinstance(last, forest.ARFClassifier) or last.disable_weighted_vote:
        return [1.0] * count
    scores = [metric.get() for metric in last._metrics]  # noqa: SLF001 - as above
    return [score if score > 0 else 1.0 for score in scores]


def _of_regressors(last: Any, count: int) -> list[float]:
    """Return what each tree counts in River's ARFRegressor, whose mean is taken after weighting."""
    if last.aggregation_method != "mean":
        raise CannotExplainError("a median of trees is no sum")
    weights = [1.0] * count
    if not last.disable_weighted_vote:
        errors = [metric.get() for metric in last._metrics]  # noqa: SLF001 - as above
        total = sum(errors)
        if total:
            lacking = [total - error for error in errors]
            weights = [one / sum(lacking) for one in lacking]
    return [weight / count for weight in weights]
