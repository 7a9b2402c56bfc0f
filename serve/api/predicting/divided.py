"""Streams in shards have no model for the whole stream to answer with."""

from __future__ import annotations

from serve.api.model_holder import ModelHolder
from serve.api.problems import ProblemError, problem_of


def refuse_divided(models: ModelHolder) -> None:
    """Raise where a stream's models are those of its shards.

    Raises
    ------
    ProblemError
        409.
    """
    if models.is_divided:
        detail = (
            'the stream is divided (stream.shards = "partition"): each shard has a model of its '
            "own, and this API answers with the model of a whole stream only. Its predictions are "
            "on the predictions topic"
        )
        raise ProblemError(problem_of(409, "divided_stream", detail))
