"""Trees: contributions against paths worked out by hand."""

from __future__ import annotations

import random

import pytest
from river import ensemble, forest, preprocessing, tree

from serve.explain.explain import explain
from serve.explain.explanation import CannotExplainError
from stream.learner import Learner

SPLITS = {"grace_period": 50, "delta": 0.05, "tau": 0.2}
CLASSIFIER = tree.HoeffdingTreeClassifier(**SPLITS)


def stump() -> Learner:
    """A tree with one split at x <= 0.5, learned from 400 events, of which we know the shares."""
    model = tree.HoeffdingTreeClassifier(grace_period=50, leaf_prediction="mc", max_depth=1)
    learner = Learner(model, "binary")
    rng = random.Random(1)
    for _ in range(400):
        x = rng.random()
        learner.learn({"x": x, "z": rng.random()}, x > 0.5)
    return learner


def test_a_stump_moves_from_the_share_of_the_whole_to_that_of_the_leaf():
    learner = stump()
    root = learner.model._root
    left, right = (leaf.stats for leaf in root.children)
    whole = (left.get(True, 0) + right.get(True, 0)) / (sum(left.values()) + sum(right.values()))
    for x, leaf in ((0.1, left), (0.9, right)):
        found, notes = explain(learner, {"x": x, "z": 0.5}, [], seconds=5)
        share = leaf.get(True, 0) / sum(leaf.values())
        assert (found.method, found.space, found.target) == ("tree", "probability", "true")
        assert found.base == pytest.approx(whole)
        assert found.contributions["x"] == pytest.approx(share - whole)
        assert found.contributions["z"] == 0.0
        assert found.leaf_model == pytest.approx(0.0, abs=1e-9)
        assert found.explained == learner.predict({"x": x, "z": 0.5})
        assert notes == ["linear: HoeffdingTreeClassifier is no linear model with one weight each"]


def test_the_share_of_the_other_class_is_the_rest():
    learner = stump()
    yes, _ = explain(learner, {"x": 0.9, "z": 0.5}, [], seconds=5)
    no, _ = explain(learner, {"x": 0.9, "z": 0.5}, [], seconds=5, wanted="false")
    assert yes.base + no.base == pytest.approx(1)
    assert yes.contributions["x"] == pytest.approx(-no.contributions["x"])


def test_a_regression_tree_moves_between_means():
    learner = Learner(
        tree.HoeffdingTreeRegressor(grace_period=50, leaf_prediction="mean", max_depth=1),
        "regression",
    )
    rng = random.Random(2)
    for _ in range(600):
        x = rng.random()
        learner.learn({"x": x}, 10.0 if x > 0.5 else 2.0)
    root = learner.model._root
    seen = [(leaf.stats.mean.n, leaf.stats.mean.get()) for leaf in root.children]
    whole = sum(n * mean for n, mean in seen) / sum(n for n, _ in seen)
    found, _ = explain(learner, {"x": 0.9}, [], seconds=5)
    assert found.space == "value"
    assert found.base == pytest.approx(whole)
    assert found.contributions["x"] == pytest.approx(seen[1][1] - whole)
    assert found.is_whole


def test_an_absent_feature_goes_the_way_of_the_most():
    learner = stump()
    found, _ = explain(learner, {"z": 0.5}, [], seconds=5)
    assert found.contributions["x"] != 0.0
    assert found.is_whole


def rows(count: int, seed: int = 3):
    rng = random.Random(seed)
    for _ in range(count):
        x, z, noise = rng.random(), rng.random(), rng.random()
        yield {"x": x, "z": z, "noise": noise}, x + z


@pytest.mark.parametrize(
    ("model", "task"),
    [
        (tree.HoeffdingTreeClassifier(**SPLITS), "binary"),
        (tree.HoeffdingAdaptiveTreeClassifier(seed=1, **SPLITS), "binary"),
        (tree.ExtremelyFastDecisionTreeClassifier(**SPLITS), "binary"),
        (forest.ARFClassifier(n_models=5, seed=1, **SPLITS), "binary"),
        (
            ensemble.BaggingClassifier(tree.HoeffdingTreeClassifier(**SPLITS), n_models=4, seed=1),
            "binary",
        ),
        (tree.HoeffdingTreeRegressor(**SPLITS), "regression"),
        (
            forest.ARFRegressor(n_models=5, seed=1, aggregation_method="mean", **SPLITS),
            "regression",
        ),
        (
            ensemble.BaggingRegressor(tree.HoeffdingTreeRegressor(**SPLITS), n_models=4, seed=1),
            "regression",
        ),
        (forest.ARFClassifier(n_models=5, seed=1, **SPLITS), "multiclass"),
        (preprocessing.StandardScaler() | tree.HoeffdingTreeClassifier(**SPLITS), "binary"),
    ],
)
def test_base_steps_and_leaves_add_up_to_what_the_trees_say(model, task):
    learner = Learner(model.clone(), task)
    for features, total in rows(1_500):
        label = {"binary": total > 1, "regression": total, "multiclass": "ab"[total > 1]}
        learner.learn(features, label[task])
    asked = [features for features, _ in rows(30, seed=9)]
    for features in asked:
        before = learner.predict(features)
        found, _ = explain(learner, features, [], seconds=5)
        assert found.method == "tree"
        assert found.is_whole, found
        assert learner.predict(features) == before
    owed = [
        sum(abs(explain(learner, f, [], seconds=5)[0].contributions[name]) for f in asked)
        for name in ("x", "noise")
    ]
    assert owed[0] > owed[1]


def test_a_median_of_trees_is_no_sum():
    learner = Learner(
        forest.ARFRegressor(n_models=3, seed=1, aggregation_method="median"), "regression"
    )
    for features, total in rows(50):
        learner.learn(features, total)
    with pytest.raises(CannotExplainError, match="median"):
        explain(learner, {"x": 1.0}, [], seconds=1, method="tree")
