"""Linear models: contributions against the sums written out by hand."""

from __future__ import annotations

import math

import pytest
from river import compose, feature_extraction, linear_model, multiclass, preprocessing, stats

from serve.explain.deadline import Deadline
from serve.explain.explain import explain
from serve.explain.explanation import CannotExplainError
from stream.learner import Learner


def learned(model, task="binary", rows=200):
    learner = Learner(model, task)
    for number in range(rows):
        x, z = math.sin(number), math.cos(3 * number)
        features = {"x": 5 + 2 * x, "z": z, "c": "ab"[number % 2]}
        label = {"binary": x + z > 0, "regression": 3 * x - z, "multiclass": "ab"[x > 0]}[task]
        learner.learn(features, label)
    return learner


EVENT = {"x": 6.5, "z": -0.25, "c": "a"}
SCALED = compose.SelectType(float) | preprocessing.StandardScaler()


@pytest.mark.parametrize(
    "last",
    [linear_model.LogisticRegression(), linear_model.Perceptron(), linear_model.PAClassifier()],
)
def test_behind_a_scaler_it_is_the_weight_times_the_scaled_value_in_log_odds(last):
    learner = learned(SCALED.clone() | last)
    found, notes = explain(learner, EVENT, [], seconds=5)
    scaler, model = learner.model["StandardScaler"], list(learner.model.steps.values())[-1]
    for name in ("x", "z"):
        scaled = (EVENT[name] - scaler.means[name]) / math.sqrt(scaler.vars[name])
        assert found.contributions[name] == pytest.approx(model.weights[name] * scaled)
    assert found.contributions["c"] == 0.0
    assert (found.method, found.space, found.target, notes) == ("linear", "log_odds", "true", [])
    assert found.base == model.intercept
    total = found.base + sum(found.contributions.values())
    if not isinstance(model, linear_model.PAClassifier):
        assert 1 / (1 + math.exp(-total)) == pytest.approx(learner.predict(EVENT))
    assert found.is_whole


def test_the_other_class_has_the_opposite_odds():
    learner = learned(SCALED.clone() | linear_model.LogisticRegression())
    yes, _ = explain(learner, EVENT, [], seconds=5)
    no, _ = explain(learner, EVENT, [], seconds=5, wanted="false")
    assert no.explained == -yes.explained
    assert dict(no.contributions) == {name: -part for name, part in yes.contributions.items()}


def test_a_regression_adds_up_to_its_value():
    learner = learned(SCALED.clone() | linear_model.LinearRegression(), "regression")
    found, _ = explain(learner, EVENT, [], seconds=5)
    assert (found.method, found.space, found.target) == ("linear", "value", None)
    total = found.base + sum(found.contributions.values())
    assert total == pytest.approx(learner.predict(EVENT), rel=1e-12)


def test_a_category_is_owed_what_its_dummy_adds():
    model = (
        compose.Select("x") + (compose.Select("c") | preprocessing.OneHotEncoder())
    ) | linear_model.LinearRegression()
    learner = learned(model, "regression")
    found, _ = explain(learner, EVENT, [], seconds=5)
    weights = learner.model["LinearRegression"].weights
    assert found.contributions["c"] == pytest.approx(weights["c_a"])
    assert found.contributions["x"] == pytest.approx(weights["x"] * 6.5)
    assert found.is_whole


def test_what_an_imputer_fills_in_is_part_of_the_base():
    model = preprocessing.StatImputer(("x", stats.Mean())) | linear_model.LinearRegression()
    learner = Learner(model, "regression")
    for number in range(50):
        learner.learn({"x": float(number % 5), "z": 1.0}, 2.0 * (number % 5))
    found, _ = explain(learner, {"x": None, "z": 1.0}, [], seconds=5)
    assert found.is_whole
    assert found.explained == pytest.approx(learner.predict({"x": None, "z": 1.0}))


def test_features_that_are_mixed_before_the_weights_are_sampled_and_it_says_why():
    model = (
        compose.Select("x", "z")
        | feature_extraction.PolynomialExtender()
        | linear_model.LogisticRegression()
    )
    learner = learned(model)
    background = [{"x": 5.0, "z": 0.0, "c": "b"}, {"x": 4.0, "z": 1.0, "c": "a"}]
    found, notes = explain(learner, EVENT, background, seconds=0.3)
    assert found.method == "sampling"
    assert any("depends on both" in note for note in notes)
    with pytest.raises(CannotExplainError, match="depends on both"):
        explain(learner, EVENT, background, seconds=0.3, method="linear")


def test_a_model_that_is_not_linear_says_so():
    learner = learned(
        multiclass.OneVsRestClassifier(SCALED.clone() | linear_model.PAClassifier()), "multiclass"
    )
    with pytest.raises(CannotExplainError, match="OneVsRestClassifier is no linear model"):
        explain(learner, EVENT, [], seconds=1, method="linear")


def test_time_that_is_up_is_a_reason():
    deadline = Deadline(0.0)
    with pytest.raises(CannotExplainError, match="longer than 0 ms"):
        deadline.check()
