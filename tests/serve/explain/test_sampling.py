"""Sampling: against Shapley values that are known."""

from __future__ import annotations

import itertools
import math

import pytest
from river import base, linear_model, naive_bayes, neighbors

from serve.explain.explain import explain
from serve.explain.explanation import CannotExplainError
from stream.learner import Learner


class Fixed(base.Regressor):
    """A function, as a model."""

    def __init__(self, function):
        self.function = function

    def learn_one(self, x, y):
        """Not needed."""

    def predict_one(self, x):
        return self.function(x)


def shapley(function, features: dict, background: list[dict]) -> dict[str, float]:
    """Return the exact values: the mean over all orders and all background events."""
    parts = dict.fromkeys(features, 0.0)
    orders = list(itertools.permutations(features))
    for start in background:
        for order in orders:
            mixed, said = dict(start), function(start)
            for name in order:
                mixed[name] = features[name]
                now = function(mixed)
                parts[name] += (now - said) / len(orders) / len(background)
                said = now
    return parts


BACKGROUND = [{"a": float(i % 3), "b": float(i % 5) - 2, "c": 0.5 * i} for i in range(16)]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 2 * x["a"] - 3 * x["b"] + 1,
        lambda x: x["a"] * x["b"] + x["c"],
        lambda x: math.exp(x["a"] / 4) * (x["b"] > 0),
    ],
)
def test_it_comes_close_to_the_shapley_values_within_its_stated_error(function):
    learner = Learner(Fixed(function), "regression")
    event = {"a": 3.0, "b": 1.5, "c": -1.0}
    found, _ = explain(learner, event, BACKGROUND, seconds=0.5, method="sampling", seed=1)
    exact = shapley(function, event, BACKGROUND)
    assert found.is_whole
    assert found.samples > 100
    for name, part in exact.items():
        assert found.contributions[name] == pytest.approx(part, abs=4 * found.errors[name] + 0.02)


def test_a_linear_function_is_owed_the_weight_times_the_distance_from_the_mean():
    learner = Learner(Fixed(lambda x: 2 * x["a"] - 3 * x["b"]), "regression")
    background = [{"a": 1.0, "b": 1.0}, {"a": 3.0, "b": -1.0}]
    found, _ = explain(learner, {"a": 5.0, "b": 2.0}, background, seconds=0.1, method="sampling")
    assert found.base == pytest.approx(4.0, abs=0.2)
    assert found.contributions["a"] == pytest.approx(6.0, abs=0.2)
    assert found.contributions["b"] == pytest.approx(-6.0, abs=0.2)


def test_a_feature_that_the_model_does_not_look_at_gets_nothing():
    learner = Learner(Fixed(lambda x: x["a"]), "regression")
    found, _ = explain(learner, {"a": 1.0, "b": 9.0}, BACKGROUND, seconds=0.1)
    assert found.contributions["b"] == found.errors["b"] == 0.0
    assert found.contributions["a"] != 0.0


def test_absent_features_are_absent_in_the_end():
    learner = Learner(Fixed(lambda x: float(len(x))), "regression")
    found, _ = explain(learner, {"a": 1.0}, BACKGROUND, seconds=0.1)
    assert found.explained == 1.0
    assert found.base == 3.0
    assert found.contributions["b"] == found.contributions["c"] == -1.0
    assert found.is_whole


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_probabilities_of_any_classifier_are_explained_and_the_model_stays_the_same(task):
    learner = Learner(naive_bayes.GaussianNB(), task)
    for number in range(200):
        x = math.sin(number)
        label = x > 0 if task == "binary" else "abc"[number % 3]
        learner.learn({"a": x, "b": math.cos(number), "c": 1.0}, label)
    event = {"a": 0.4, "b": 0.2, "c": 1.0}
    before = learner.predict(event)
    found, notes = explain(learner, event, BACKGROUND, seconds=0.2)
    assert learner.predict(event) == before
    assert (found.method, found.space) == ("sampling", "probability")
    assert found.is_whole
    assert len(notes) == 2
    said = before if task == "binary" else before[found.target]
    assert found.explained == said


def test_it_stops_when_time_is_up():
    import time

    def slow(x):
        time.sleep(0.002)
        return x["a"]

    started = time.perf_counter()
    found, _ = explain(
        Learner(Fixed(slow), "regression"), {"a": 1.0, "b": 2.0}, BACKGROUND, seconds=0.2
    )
    assert time.perf_counter() - started < 0.5
    assert found.is_whole
    started = time.perf_counter()
    many = {str(i): float(i) for i in range(1_000)} | {"a": 1.0}
    with pytest.raises(CannotExplainError, match="took longer than 200 ms"):
        explain(Learner(Fixed(slow), "regression"), many, BACKGROUND, seconds=0.2)
    assert time.perf_counter() - started < 0.5


def test_what_cannot_be_explained_says_why():
    linear = Learner(linear_model.LinearRegression(), "regression")
    silent = Learner(naive_bayes.GaussianNB(), "binary")
    nearest = Learner(neighbors.KNNClassifier(), "binary")
    for learner, reason in (
        (silent, "nothing to say"),
        (nearest, "nothing to say|no events to compare"),
    ):
        with pytest.raises(CannotExplainError, match=reason):
            explain(learner, {"a": 1.0}, [], seconds=0.1)
    with pytest.raises(CannotExplainError, match="has no classes"):
        explain(linear, {"a": 1.0}, [], seconds=0.1, wanted="x")

    def picky(x):
        if "b" in x:
            raise KeyError("b")
        return 1.0

    with pytest.raises(CannotExplainError, match="with a feature replaced"):
        explain(Learner(Fixed(picky), "regression"), {"a": 1.0}, BACKGROUND, seconds=0.1)
