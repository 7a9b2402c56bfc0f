"""From a configuration to a line that has learned nothing."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from stream.config import Config
from stream.errors import ConfigError, PipelineError, Problem
from stream.line import Line
from stream.pipelines.candidates import AUTO, MAX_CANDIDATES, auto_candidates, expand_grid
from stream.pipelines.factory import load_factory
from stream.pipelines.mini_batch import in_batches
from stream.pipelines.read import read_metrics, read_pipeline
from stream.pipelines.tasks import check_task
from stream.schema_file import SchemaFile
from stream.sharding.averaging.model import refusals

FACTORY = "factory:"
"""How the name of a function that makes a model begins, where a pipeline is expected."""


def line_factory(config: Config, where: str = "riverrun.toml") -> Callable[[str], Line]:
    """Return what makes a new line of a version, after the model was found to fit its task.

    Parameters
    ----------
    config
        The configuration.
    where
        Named in error messages.

    Raises
    ------
    ConfigError
        With every mistake in pipeline (or factory) and metrics; or in the schema's file.

    Examples
    --------
    >>> config = Config(
    ...     stream={"name": "s"},
    ...     event={"label": "y"},
    ...     model={"task": "binary", "pipeline": "linear_model.LogisticRegression()"},
    ... )
    >>> line_factory(config)("v1").counts.learned
    0
    """
    model, metrics = build_model(config, where)
    schema = SchemaFile(config, where).read()
    pipelines = candidate_pipelines(config, where)

    def make_line(version: str) -> Line:
        return Line(config, deepcopy(model), deepcopy(metrics), version, schema, pipelines)

    return make_line


def build_model(config: Config, where: str) -> tuple[Any, dict[str, Any]]:
    """Return the untrained model and metrics of a configuration.

    Raises
    ------
    ConfigError
    """
    problems = []
    model, metrics = None, {}
    section = config.model
    key = "model.pipeline" if section.factory is None else "model.factory"
    try:
        if section.factory is not None:
            model = load_factory(section.factory)
        else:
            model = read_pipeline(pipeline_text(config), section.seed)
        model = in_batches(model, section.mini_batch)
    except PipelineError as error:
        problems.append(Problem(key, section.factory or section.pipeline or "", str(error)))
    try:
        metrics = read_metrics(config.metric_names)
    except PipelineError as error:
        problems.append(Problem("model.metrics", repr(list(config.metric_names)), str(error)))
    if model is not None and section.share == "averaged":
        problems += [Problem("model.share", "averaged", text) for text in refusals(model)]
    if model is not None and metrics:
        problems += [
            Problem(key, section.task, text) for text in check_task(model, metrics, section.task)
        ]
    if problems:
        raise ConfigError(where, problems)
    return model, metrics


def with_pipeline(config: Config, text: str) -> Config:
    """Return a configuration with another pipeline, or another factory."""
    is_factory = text.startswith(FACTORY)
    update = {
        "pipeline": None if is_factory else text,
        "factory": text.removeprefix(FACTORY) if is_factory else None,
    }
    return config.model_copy(update={"model": config.model.model_copy(update=update)})


def pipeline_text(config: Config) -> str:
    """Return the pipeline that serves at first, as one text; see ``with_pipeline``."""
    model = config.model
    if model.pipeline == AUTO:
        return next(iter(auto_candidates(model.task).values()))
    return model.pipeline if model.pipeline is not None else f"{FACTORY}{model.factory}"


def candidate_pipelines(config: Config, where: str) -> dict[str, str]:
    """Return what a retraining trains, by name; the first is what serves at first.

    Raises
    ------
    ConfigError
        With every candidate that cannot be built.
    """
    model, problems = config.model, []
    found = auto_candidates(model.task) if model.pipeline == AUTO else {}
    found = found or {"configured": pipeline_text(config)}
    for number, candidate in enumerate(model.candidates, start=1):
        key, name = f"model.candidates.{number}", candidate.name or f"candidate-{number}"
        try:
            texts = expand_grid(candidate.pipeline, candidate.grid)
            for text in texts:
                built = in_batches(read_pipeline(text, model.seed), model.mini_batch)
                problems += [Problem(key, text, said) for said in check_task(built, {}, model.task)]
        except PipelineError as error:
            problems.append(Problem(key, candidate.pipeline, str(error)))
            continue
        names = [name] if len(texts) == 1 else [f"{name}-{n}" for n in range(1, len(texts) + 1)]
        if taken := set(names) & set(found):
            problems.append(Problem(key, repr(sorted(taken)), "each needs a name of its own"))
        found |= dict(zip(names, texts, strict=True))
    if len(found) > MAX_CANDIDATES:
        allowed = f"no more than {MAX_CANDIDATES} together"
        problems.append(Problem("model.candidates", f"{len(found)} candidates", allowed))
    if problems:
        raise ConfigError(where, problems)
    return found
