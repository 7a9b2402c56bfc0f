"""The four tasks, and whether a model and its metrics fit one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from river import base, metrics


@dataclass(frozen=True, slots=True)
class Task:
    """What a task asks of a model and of a metric.

    Parameters
    ----------
    model
        What the last step of a pipeline must be, in words.
    model_example
        A pipeline that fits.
    metric_types
        Classes of ``river.metrics.base``; a metric must be of one of them.
    metric_examples
        Metrics that fit.
    """

    model: str
    model_example: str
    metric_types: tuple[str, ...]
    metric_examples: str


TASKS: Final[Mapping[str, Task]] = MappingProxyType(
    {
        "binary": Task(
            model="a classifier",
            model_example="linear_model.LogisticRegression()",
            metric_types=("BinaryMetric", "MultiClassMetric"),
            metric_examples="ROCAUC, LogLoss, F1",
        ),
        "multiclass": Task(
            model="a classifier for more than two classes",
            model_example="multiclass.OneVsRestClassifier(linear_model.LogisticRegression())",
            metric_types=("MultiClassMetric",),
            metric_examples="Accuracy, MacroF1, CrossEntropy",
        ),
        "regression": Task(
            model="a regressor",
            model_example="linear_model.LinearRegression()",
            metric_types=("RegressionMetric",),
            metric_examples="MAE, RMSE, R2",
        ),
        "anomaly": Task(
            model="an anomaly detector that scores features alone",
            model_example="anomaly.HalfSpaceTrees()",
            metric_types=("BinaryMetric",),
            metric_examples="ROCAUC, RollingROCAUC, RollingPRAUC",
        ),
    }
)


def check_task(
    model: base.Estimator, metrics: Mapping[str, metrics.base.Metric], task: str
) -> list[str]:
    """Return what keeps a model and its metrics from serving a task.

    Parameters
    ----------
    model
        An estimator or a pipeline; its last step counts.
    metrics
        Metrics by their text, as ``read_metrics`` returns them.
    task
        A key of ``TASKS``.

    Returns
    -------
    list[str]
        One sentence per problem, with what was found and what to use; empty where all fits.

    Examples
    --------
    >>> from river import linear_model
    >>> from stream.pipelines.read import read_metrics
    >>> check_task(linear_model.LogisticRegression(), read_metrics(["ROCAUC"]), "binary")
    []
    >>> check_task(linear_model.LogisticRegression(), read_metrics(["MAE"]), "binary")
    ['metric MAE does not fit task binary; use for example ROCAUC, LogLoss, F1']
    """
    wanted = TASKS.get(task)
    if wanted is None:
        return [f"found task {task!r}; it is one of {', '.join(TASKS)}"]
    last = _last_step(model)
    if not _fits(last, task):
        model_problem = (
            f"found {type(last).__name__} as the model; task {task} needs {wanted.model}, "
            f"for example {wanted.model_example}"
        )
        # What a metric asks of the model means nothing where the model itself is wrong.
        wrong = [name for name, metric in metrics.items() if not _is_of(metric, wanted)]
        return [model_problem, *(_wrong_metric(name, task, wanted) for name in wrong)]
    return [
        problem
        for name, metric in metrics.items()
        if (problem := _metric_problem(name, metric, last, task, wanted)) is not None
    ]


def _last_step(model: Any) -> Any:
    while hasattr(model, "_last_step"):
        model = model._last_step  # noqa: SLF001 (River has no public name for it)
    return model


def _fits(last: Any, task: str) -> bool:
    from river import base

    match task:
        case "binary":
            return isinstance(last, base.Classifier)
        case "multiclass":
            return isinstance(last, base.Classifier) and last._multiclass  # noqa: SLF001
        case "regression":
            return isinstance(last, base.Regressor)
    # A supervised detector scores the target, which is not there when an event is scored.
    if isinstance(last, base.AnomalyFilter):
        return _fits(_last_step(last.anomaly_detector), task)
    return isinstance(last, base.AnomalyDetector)


def _is_of(metric: Any, wanted: Task) -> bool:
    from river import metrics

    return isinstance(metric, tuple(getattr(metrics.base, name) for name in wanted.metric_types))


def _wrong_metric(name: str, task: str, wanted: Task) -> str:
    return f"metric {name} does not fit task {task}; use for example {wanted.metric_examples}"


def _metric_problem(name: str, metric: Any, last: Any, task: str, wanted: Task) -> str | None:
    if not _is_of(metric, wanted) or not metric.works_with(last):
        return _wrong_metric(name, task, wanted)
    labels_only = task in ("binary", "multiclass") and not metric.requires_labels
    if labels_only and not _gives_probabilities(last):
        return (
            f"metric {name} needs probabilities, which {type(last).__name__} does not give; use "
            "a metric of labels such as Accuracy, or another model"
        )
    return None


def _gives_probabilities(classifier: Any) -> bool:
    """Ask a fresh clone, because a wrapper gives probabilities where its inner model does."""
    try:
        classifier.clone().predict_proba_one({})
    except NotImplementedError:
        return False
    except Exception:  # noqa: BLE001
        # An event without features may be too little for it, which says nothing here.
        return True
    return True
