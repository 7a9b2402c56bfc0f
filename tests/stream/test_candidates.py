"""Candidates: a sensible set for each task, and grids that mean what River's mean."""

from __future__ import annotations

import pytest
from river import utils

from stream.build import build_model, candidate_pipelines, line_factory, with_pipeline
from stream.errors import ConfigError, PipelineError
from stream.pipelines.candidates import MAX_CANDIDATES, auto_candidates, expand_grid
from stream.pipelines.read import read_pipeline
from stream.storage.identity import fingerprint
from tests.lines import PIPELINE, SMALL_MONITOR, event, make_config, records, truth

GRID = {"LogisticRegression": {"l2": [0.0, 0.1], "intercept_lr": [0.01, 0.1]}}


def test_a_grid_means_what_it_means_to_river():
    ours = [read_pipeline(text) for text in expand_grid(PIPELINE, GRID)]
    theirs = utils.expand_param_grid(read_pipeline(PIPELINE), GRID)
    assert [str(m["LogisticRegression"]._get_params()) for m in ours] == [
        str(m["LogisticRegression"]._get_params()) for m in theirs
    ]


def test_values_may_be_parts_of_river():
    grid = {"LogisticRegression": {"optimizer": ["optim.SGD(0.1)", "optim.Adam(0.01)"]}}
    first, second = expand_grid(PIPELINE, grid)
    assert "optim.SGD(0.1)" in first
    assert type(read_pipeline(second)["LogisticRegression"].optimizer).__name__ == "Adam"


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"Lasso": {"l2": [1]}}, "stands 0 times"),
        ({"LogisticRegression": {"l2": list(range(MAX_CANDIDATES + 1))}}, "33 combinations"),
        ({"LogisticRegression": {"l2": []}}, "0 combinations"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(grid, message):
    with pytest.raises(PipelineError, match=message):
        expand_grid(PIPELINE, grid)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression", "anomaly"])
def test_every_automatic_candidate_learns_from_mixed_features(task):
    label = {"binary": True, "multiclass": "x", "regression": 1.5, "anomaly": False}[task]
    for name, text in auto_candidates(task).items():
        config = with_pipeline(make_config(model={"task": task}), text)
        line = line_factory(config)("v1")
        rows = [event(i, label, c="xyz"[i % 3]) for i in range(30)]
        step = line.handle(records("s.events", rows), 0)
        assert not step.dead_letters, name
        assert line.counts.learned == 30


def test_candidates_stand_beside_the_configured_pipeline_with_names():
    candidates = [
        {"name": "bayes", "pipeline": "naive_bayes.GaussianNB()"},
        {"pipeline": PIPELINE, "grid": {"LogisticRegression": {"l2": [0.0, 0.1]}}},
    ]
    found = candidate_pipelines(make_config(model={"candidates": candidates}), "x")
    assert list(found) == ["configured", "bayes", "candidate-2-1", "candidate-2-2"]


def test_every_candidate_that_cannot_be_built_is_named():
    candidates = [
        {"pipeline": "nonsense("},
        {"pipeline": "linear_model.LinearRegression()"},
        {"name": "configured", "pipeline": PIPELINE},
    ]
    with pytest.raises(ConfigError) as raised:
        candidate_pipelines(make_config(model={"candidates": candidates}), "x")
    keys = [problem.key for problem in raised.value.problems]
    assert keys == ["model.candidates.1", "model.candidates.2", "model.candidates.3"]


def test_auto_serves_the_first_and_asks_for_a_race_when_it_has_seen_enough():
    config = make_config(model={"pipeline": "auto"}, monitor=SMALL_MONITOR)
    assert build_model(config, "x")
    assert "." in fingerprint(config)
    line = line_factory(config)("v1")
    line.handle(records("s.events", [event(i, truth(i)) for i in range(110)]), 0)
    run = line.lifecycle.run
    assert run.requests[0].trigger == "selection"
    assert list(run.pipelines) == list(auto_candidates("binary"))
