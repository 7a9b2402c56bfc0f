"""Models and metrics that fit a task, and those that do not."""

from __future__ import annotations

import pytest

from stream.pipelines.read import read_metrics, read_pipeline
from stream.pipelines.tasks import TASKS, check_task

LOGISTIC = "linear_model.LogisticRegression()"
SCALER = "preprocessing.StandardScaler()"


def problems(pipeline: str, metrics: list[str], task: str) -> list[str]:
    return check_task(read_pipeline(pipeline), read_metrics(metrics), task)


@pytest.mark.parametrize(
    ("pipeline", "metrics", "task"),
    [
        (LOGISTIC, ["ROCAUC", "LogLoss", "F1", "Accuracy", "RollingPRAUC"], "binary"),
        (f"{SCALER} | {LOGISTIC}", ["ROCAUC"], "binary"),
        ("forest.ARFClassifier()", ["ROCAUC"], "binary"),
        (f"compose.Pipeline({SCALER}, compose.Pipeline({LOGISTIC}))", ["ROCAUC"], "binary"),
        ("anomaly.QuantileFilter(anomaly.HalfSpaceTrees(), 0.9) | " + LOGISTIC, ["F1"], "binary"),
        (f"{SCALER} | naive_bayes.GaussianNB()", ["Accuracy", "CrossEntropy"], "multiclass"),
        (f"multiclass.OneVsRestClassifier({SCALER} | {LOGISTIC})", ["MacroF1"], "multiclass"),
        ("linear_model.LinearRegression()", ["MAE", "RMSE", "R2", "SMAPE"], "regression"),
        ("anomaly.HalfSpaceTrees()", ["ROCAUC", "RollingROCAUC", "RollingPRAUC"], "anomaly"),
        (f"{SCALER} | anomaly.OneClassSVM()", ["RollingROCAUC"], "anomaly"),
        ("anomaly.QuantileFilter(anomaly.HalfSpaceTrees(), 0.9)", ["ROCAUC"], "anomaly"),
    ],
)
def test_what_fits_has_no_problem(pipeline: str, metrics: list[str], task: str) -> None:
    assert problems(pipeline, metrics, task) == []


@pytest.mark.parametrize("task", TASKS)
def test_the_examples_in_the_messages_fit(task: str) -> None:
    wanted = TASKS[task]
    assert problems(wanted.model_example, wanted.metric_examples.split(", "), task) == []


@pytest.mark.parametrize(
    ("pipeline", "task", "message"),
    [
        (
            f"{SCALER} | linear_model.LinearRegression()",
            "binary",
            "found LinearRegression as the model; task binary needs a classifier, for example "
            "linear_model.LogisticRegression()",
        ),
        (
            LOGISTIC,
            "multiclass",
            "found LogisticRegression as the model; task multiclass needs a classifier for more "
            "than two classes, for example "
            "multiclass.OneVsRestClassifier(linear_model.LogisticRegression())",
        ),
        (
            LOGISTIC,
            "regression",
            "found LogisticRegression as the model; task regression needs a regressor, for example "
            "linear_model.LinearRegression()",
        ),
        (
            SCALER,
            "anomaly",
            "found StandardScaler as the model; task anomaly needs an anomaly detector that scores "
            "features alone, for example anomaly.HalfSpaceTrees()",
        ),
    ],
)
def test_a_model_of_another_task_is_named(pipeline: str, task: str, message: str) -> None:
    assert problems(pipeline, [], task) == [message]


@pytest.mark.parametrize(
    "pipeline",
    ["anomaly.GaussianScorer()", "anomaly.ThresholdFilter(anomaly.GaussianScorer(), 0.9)"],
)
def test_a_detector_that_scores_the_target_cannot_score_events(pipeline: str) -> None:
    assert "scores features alone" in problems(pipeline, ["ROCAUC"], "anomaly")[0]


@pytest.mark.parametrize(
    ("pipeline", "metric", "task"),
    [
        (LOGISTIC, "MAE", "binary"),
        ("naive_bayes.GaussianNB()", "ROCAUC", "multiclass"),
        ("linear_model.LinearRegression()", "Accuracy", "regression"),
        ("anomaly.HalfSpaceTrees()", "LogLoss", "anomaly"),
        ("anomaly.HalfSpaceTrees()", "Accuracy", "anomaly"),
    ],
)
def test_a_metric_of_another_task_is_named(pipeline: str, metric: str, task: str) -> None:
    assert problems(pipeline, [metric], task) == [
        f"metric {metric} does not fit task {task}; use for example {TASKS[task].metric_examples}"
    ]


def test_a_metric_of_probabilities_needs_a_model_that_gives_them() -> None:
    pipeline = f"multiclass.OneVsOneClassifier({LOGISTIC})"
    assert problems(pipeline, ["CrossEntropy", "Accuracy"], "multiclass") == [
        "metric CrossEntropy needs probabilities, which OneVsOneClassifier does not give; use a "
        "metric of labels such as Accuracy, or another model"
    ]


def test_all_problems_are_told_at_once() -> None:
    found = problems("linear_model.LinearRegression()", ["MAE", "ROCAUC", "R2"], "binary")
    assert [each.split()[:2] for each in found] == [
        ["found", "LinearRegression"],
        ["metric", "MAE"],
        ["metric", "R2"],
    ]


def test_an_unknown_task_is_named_with_those_that_there_are() -> None:
    assert problems(LOGISTIC, [], "classify") == [
        "found task 'classify'; it is one of binary, multiclass, regression, anomaly"
    ]
