"""Scores equal River's own, for the model, the baselines and the rolling window."""

from __future__ import annotations

import random

import pytest
from river import metrics

from stream.baselines import Baselines
from stream.scores import Scores
from stream.watching.labelled import Labelled


def made(names, task, window=50):
    return Scores({name: getattr(metrics, name)() for name in names}, task, window)


def stream(count=400):
    rng = random.Random(3)
    for _ in range(count):
        positive = rng.random()
        yield rng.random() < positive, positive


def test_binary_scores_equal_those_of_river_event_by_event():
    scores, baselines = made(["ROCAUC", "LogLoss", "Accuracy"], "binary"), Baselines("binary")
    names = ["ROCAUC", "LogLoss", "Accuracy"]
    model, last, usual = ({n: getattr(metrics, n)() for n in names} for _ in range(3))
    tail = []
    for label, positive in stream():
        said = baselines.predict()
        scores.update(label, positive, said)
        baselines.learn(label)
        tail.append((label, positive))
        for name in names:
            binary = name == "Accuracy"
            model[name].update(
                label, positive > 0.5 if binary else {True: positive, False: 1 - positive}
            )
            for metric, answer in ((last[name], said[0]), (usual[name], said[1])):
                if answer is not None:
                    sure = {True: float(answer), False: 1 - float(answer)}
                    metric.update(label, answer if binary else sure)
    summary = scores.summary()
    for name in names:
        assert summary["model"][name] == model[name].get()
        assert summary["no_change"][name] == pytest.approx(last[name].get(), abs=1e-9)
        assert summary["majority"][name] == pytest.approx(usual[name].get(), abs=1e-9)
    window = metrics.ROCAUC()
    for label, positive in tail[-50:]:
        window.update(label, {True: positive, False: 1 - positive})
    assert scores.rolling()["model"]["ROCAUC"] == window.get()


def test_regression_scores_equal_those_of_river():
    scores, baselines = made(["MAE", "RMSE"], "regression"), Baselines("regression")
    mae, last, seen = metrics.MAE(), metrics.MAE(), []
    rng = random.Random(1)
    for _ in range(200):
        label, value = rng.gauss(0, 1), rng.gauss(0, 1)
        scores.update(label, value, baselines.predict())
        baselines.learn(label)
        mae.update(label, value)
        if seen:
            last.update(label, seen[-1])
        seen.append(label)
    assert scores.summary()["model"]["MAE"] == mae.get()
    assert scores.summary()["no_change"]["MAE"] == last.get()
    assert baselines.predict()[1] == pytest.approx(sum(seen) / len(seen))


@pytest.mark.parametrize("window", [50, 1_000])
@pytest.mark.parametrize("names", [["ROCAUC", "Accuracy"], ["LogLoss", "CohenKappa"]])
def test_labels_scored_together_score_as_one_by_one(names, window):
    """However a promotion, frozen answers and missing ones lie among them."""
    rng = random.Random(5)
    rows = []
    for number, (label, positive) in enumerate(stream()):
        said = (None, None) if number == 0 else (rng.random() < 0.5, rng.random() < 0.5)
        frozen = positive / 2 if number % 10 == 0 else None
        answer = None if number % 13 == 0 else positive
        rows.append(Labelled({}, label, answer, said, number, 0, frozen, number % 3 > 0))
    single, together = made(names, "binary", window), made(names, "binary", window)
    for row in rows:
        known = {"is_of_now": row.is_of_now, "frozen": row.frozen}
        single.update(row.label, row.prediction, row.baselines, **known)
    for start in range(0, len(rows), 70):
        together.update_all(rows[start : start + 70])
    together.update_all([])
    for told in ("summary", "since", "rolling", "beside_frozen", "rolling_beside_frozen", "recent"):
        assert getattr(single, told)() == getattr(together, told)(), told
    assert (single.scored, single.unscored) == (together.scored, together.unscored)


def test_a_missing_prediction_is_counted_and_not_scored():
    scores = made(["Accuracy"], "binary")
    scores.update(True, None, (True, True))
    assert (scores.scored, scores.unscored) == (0, 1)


def test_a_metric_that_is_not_defined_yet_is_null():
    scores = made(["R2"], "regression")
    assert set(scores.summary()["model"]) == {"R2"}


def test_the_no_change_baseline_of_elec2_is_the_published_one(elec2):
    """0.853, more than most models reach on it."""
    scores, baselines = made(["Accuracy"], "binary"), Baselines("binary")
    for row in elec2:
        label = row["class"] == "UP"
        scores.update(label, 0.5, baselines.predict())
        baselines.learn(label)
    assert scores.summary()["no_change"]["Accuracy"] == pytest.approx(0.853, abs=0.0005)
