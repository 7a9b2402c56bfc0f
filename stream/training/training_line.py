"""A line that trains candidates: the same core, without panes, runs or an audience."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.schema import Schema
from stream.build import build_model, with_pipeline
from stream.config import Config
from stream.learner import Learner
from stream.lifecycle.gate import Gate
from stream.lifecycle.lifecycle import Lifecycle
from stream.lifecycle.shadow import Shadow
from stream.line import Line
from stream.training.training_watch import TrainingWatch
from stream.watching.monitor_config import monitor_config


def training_line(config: Config, pipelines: Mapping[str, str], schema: Schema | None) -> Line:
    """Return a line whose model is the first candidate, with the others in its shadow.

    Parameters
    ----------
    config
        The stream's.
    pipelines
        By candidate's name.
    schema
        What events must be.

    Raises
    ------
    ConfigError
        When a pipeline cannot be built.
    """
    quiet = config.model_copy(
        update={
            "monitor": config.monitor.model_copy(update={"enabled": False, "frozen_every": 0}),
            "dead_letters": config.dead_letters.model_copy(update={"max_share": 1.0}),
        }
    )
    first, *others = pipelines.items()
    model, metrics = build_model(with_pipeline(quiet, first[1]), f"candidate {first[0]}")
    line = Line(quiet, model, metrics, "v0")
    line.watch = TrainingWatch(
        monitor_config(config.monitor, config.retrain),
        config.model.task,
        decode=line.features_of,
        schema=schema,
    )
    line.lifecycle = Lifecycle(config.retrain, config.model.task, "v0", first[1])
    line.lifecycle.shadows = [
        Shadow(
            name,
            "challenger",
            "v0",
            Learner(
                build_model(with_pipeline(quiet, text), f"candidate {name}")[0], config.model.task
            ),
            Gate(1.0, config.retrain.margin),
            text,
        )
        for name, text in others
    ]
    return line
