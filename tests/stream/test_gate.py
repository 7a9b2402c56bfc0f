"""The gate keeps its stated errors, finds what is bad, and does not care how labels are cut."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import linear_model

from benchmarks.retrain_placebo import (
    CASES,
    FEATURES,
    Models,
    decide,
    events,
    trained,
)
from stream.lifecycle.gate import Gate, GateRules, probation_gate

MANY = 60


@pytest.mark.parametrize("kind", ["same pipeline, learning on", "same pipeline, frozen", "coins"])
def test_challengers_that_are_no_better_are_not_promoted(kind):
    """At the level of 0.01, three of 60 are improbable: 0.02 at most."""
    champion, challengers = CASES[kind](np.random.default_rng(5), MANY)
    found = [decide(champion, one)[0] for one in challengers.T]
    assert len(found) >= MANY / 4
    assert found.count("promoted") <= 2


def test_a_challenger_that_is_better_is_promoted():
    rng = np.random.default_rng(6)
    champion = (rng.random(20_000) < 0.30).astype(float)
    for better, within in ((0.2, 1_000), (0.25, 8_000)):
        challenger = (rng.random(20_000) < better).astype(float)
        what, labels = decide(champion, challenger)
        assert what == "promoted"
        assert labels <= within


@pytest.mark.parametrize("refresh", [False, True])
def test_challengers_taught_shuffled_labels_are_rejected(refresh):
    champion, challengers = CASES["shuffled labels"](np.random.default_rng(7), MANY)
    found = [decide(champion, one, refresh) for one in challengers.T]
    assert {what for what, _ in found} == {"rejected"}
    assert max(labels for _, labels in found) <= 1_000


def test_the_placebos_models_are_rivers():
    rng = np.random.default_rng(8)
    x, y = events(rng, 300)
    ours, rivers = Models(1), linear_model.LogisticRegression()
    for row, label in zip(x, y, strict=True):
        features = {str(at): value for at, value in enumerate(row)}
        said = rivers.predict_proba_one(features)[True]
        assert said == pytest.approx(float(ours.predict(row[None])[0]), abs=1e-9)
        ours.learn(row[None], label)
        rivers.learn_one(features, bool(label))
    assert len(rivers.weights) == FEATURES


def test_bootstrapped_challengers_differ():
    champion, challengers = trained(np.random.default_rng(9), 10)
    assert len({round(w, 9) for w in challengers.weights[:, 0]}) == 10
    assert champion.weights.shape == (1, FEATURES)


def back_after(gate, new, former, level=0.01, pane=500):
    for start in range(0, len(new), pane):
        gate.update(new[start : start + pane], former[start : start + pane])
        if gate.is_better(level):
            return gate.labels
    return None


def test_a_model_that_turns_bad_late_in_its_probation_is_sent_back():
    """A gate whose bets begin only once holds the good time against the evidence."""
    rng = np.random.default_rng(10)
    turned = np.arange(5_000) >= 3_500
    new = (rng.random(5_000) < np.where(turned, 0.4, 0.15)).astype(float)
    former = (rng.random(5_000) < 0.2).astype(float)
    once = back_after(Gate(1.0, 0.01), new, former)
    again = back_after(probation_gate(1.0, 0.01, 5_000), new, former)
    assert once is None
    assert 3_500 < again <= 4_500


def test_a_model_that_is_as_good_as_the_former_one_passes_its_probation():
    rng = np.random.default_rng(11)
    found = [
        back_after(probation_gate(1.0, 0.01, 5_000), *(rng.random((2, 5_000)) < 0.3).astype(float))
        for _ in range(150)
    ]
    assert sum(one is not None for one in found) <= 4


@settings(deadline=None, max_examples=40)
@given(cuts=st.lists(st.integers(1, 400), max_size=12), labels=st.integers(0, 1_000))
def test_evidence_does_not_depend_on_how_labels_are_cut(cuts, labels):
    rng = np.random.default_rng(12)
    champion, challenger = rng.random(1_000), rng.random(1_000)
    whole, parts = (probation_gate(1.0, 0.01, labels) for _ in range(2))
    whole.update(champion, challenger)
    start = 0
    for cut in [*cuts, 1_000]:
        parts.update(champion[start : start + cut], challenger[start : start + cut])
        start += cut
    assert msgspec.to_builtins(parts) == msgspec.to_builtins(whole)
    assert parts.verdict(GateRules()) == whole.verdict(GateRules())
