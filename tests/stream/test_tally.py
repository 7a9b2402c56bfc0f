"""Metrics that are made from counts are River's own, to the last digit."""

from __future__ import annotations

import inspect
import random

import pytest
from river import metrics

from stream.tally import Tally, is_mean, value_of


def every_metric(task):
    """Return the names of River's metrics that fit a task and need no arguments."""
    base = {
        "binary": metrics.base.ClassificationMetric,
        "multiclass": metrics.base.MultiClassMetric,
        "regression": metrics.base.RegressionMetric,
    }[task]
    found = []
    for name, kind in vars(metrics).items():
        if inspect.isclass(kind) and issubclass(kind, base) and not inspect.isabstract(kind):
            try:
                value_of(kind())
            except TypeError:
                continue
            found.append(name)
    return found


def rows(task, count=600):
    rng = random.Random(5)
    for _ in range(count):
        if task == "binary":
            positive = rng.choice([rng.random(), 0.0, 0.5, 1.0, 1 / 9, 5 / 9])
            yield rng.random() < positive, positive
        elif task == "multiclass":
            weights = [rng.random() for _ in "abc"]
            shares = {c: w / sum(weights) for c, w in zip("abc", weights, strict=True)}
            yield rng.choices("abc", weights)[0], shares
        else:
            yield abs(rng.gauss(1, 1)), abs(rng.gauss(1, 1))


def fed(metric, task, pairs):
    for label, said in pairs:
        if task == "binary":
            shown = said > 0.5 if metric.requires_labels else {True: said, False: 1 - said}
        elif task == "multiclass" and metric.requires_labels:
            shown = max(said, key=said.get)
        else:
            shown = said
        metric.update(label, shown)
    return metric


CASES = [(t, n) for t in ("binary", "multiclass", "regression") for n in every_metric(t)]


def test_there_are_metrics_to_compare():
    assert len(CASES) > 60


@pytest.mark.parametrize(("task", "name"), CASES)
def test_a_tally_says_what_the_metric_says(task, name):
    kind, pairs = getattr(metrics, name), list(rows(task))
    tally = Tally({name: kind()}, task)
    for label, said in pairs:
        tally.update(label, said)
    assert tally.values()[name] == value_of(fed(kind(), task, pairs))


@pytest.mark.parametrize(("task", "name"), CASES)
def test_tallies_add_up(task, name):
    kind, pairs = getattr(metrics, name), list(rows(task))
    parts = [Tally({name: kind()}, task) for _ in range(3)]  # one stays empty
    for at, (label, said) in enumerate(pairs):
        parts[at % 2].update(label, said)
    total = parts[0] + parts[1] + parts[2]
    assert total.scored == len(pairs)
    if name in parts[0].others:
        assert name in {"R2", "RollingROCAUC", "RollingPRAUC", "ConfusionMatrix"}
        return
    wanted = value_of(fed(kind(), task, pairs))
    near = pytest.approx(wanted, rel=1e-9) if is_mean(kind()) else wanted
    assert total.values()[name] == near


@pytest.mark.parametrize("name", every_metric("binary"))
def test_certain_answers_are_counted_too(name):
    kind = getattr(metrics, name)
    tally = Tally({name: kind()}, "binary", certain=True)
    pairs = [(label, said > 0.5) for label, said in rows("binary")]
    for label, said in pairs:
        tally.update(label, said)
    wanted = value_of(fed(kind(), "binary", [(label, float(said)) for label, said in pairs]))
    assert tally.values()[name] == pytest.approx(wanted, abs=1e-9)


def test_an_anomaly_score_beyond_all_cuts_is_kept():
    tally, river = Tally({"ROCAUC": metrics.ROCAUC()}, "anomaly"), metrics.ROCAUC()
    for label, score in [(True, 7.0), (False, 0.3), (True, 1.0), (False, -2.0), (True, 0.2)]:
        tally.update(label, score)
        river.update(label, score)
    assert tally.values()["ROCAUC"] == river.get()
