"""The state digest: one line of text that is equal for equal histories."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from stream.keys.on_line import keys_told
from stream.learner import Prediction
from stream.lifecycle.lifecycle import Lifecycle
from stream.watching.state import write_watch

if TYPE_CHECKING:
    from stream.line import Line


def probe_predictions(line: Line) -> list[Prediction | str]:
    """Return what the model predicts for the kept probes.

    Models are compared by this, never by the bytes of their pickles.
    """
    return [_predict(line, features) for features in line.probes]


def state_digest(
    line: Line, scores: Mapping[str, Any] | None = None, watch: bytes | None = None
) -> str:
    """Return the digest of a line's learned state, in 64 hexadecimal digits.

    It covers what the model predicts for the probes and what waits in it, every counter, the scores
    over the whole stream, the offsets, event time, the ends of what waits and what is settled, what
    was adopted, and all that the monitor remembers. It does not cover how often the process was
    started, or when.

    Parameters
    ----------
    line
        The line.
    scores
        Its ``scores.summary()``, where the caller has made it already.
    watch
        What ``write_watch`` returns of it, likewise.
    """
    if watch is None and line.watch is not None:
        watch = write_watch(line.watch)
    state: dict[str, Any] = {
        "probes": probe_predictions(line),
        "counts": msgspec.structs.asdict(line.counts),
        "reasons": dict(line.reasons),
        "scores": line.scores.summary() if scores is None else scores,
        "since": line.scores.since(),
        "frozen": None
        if line.frozen is None
        else [line.frozen.known(), *line.scores.beside_frozen()],
        "offsets": {str(place): offset for place, offset in line.offsets.items()},
        "watermark": line.watermark,
        "version": line.version,
        "waiting": [line.pending.ends(), line.early.ends()],
        "settled": line.settled.ends(),
        "lifecycle": None if line.lifecycle is None else _of_lifecycle(line.lifecycle),
        "watch": None if watch is None else sha256(watch).hexdigest(),
    }
    if line.adopted.count:
        state["adopted"] = [line.adopted.count, line.adopted.numbers]
    if (keys := keys_told(line.learner)) is not None:
        state["keys"] = keys
    # What a mini-batch pipeline has not learned yet: it decides what the model will say.
    if (waiting := getattr(line.learner.model, "waiting", None)) is not None:
        state["mini_batch"] = waiting
    return sha256(msgspec.json.encode(state, order="sorted")).hexdigest()


def _of_lifecycle(lifecycle: Lifecycle) -> dict[str, Any]:
    return {
        "run": msgspec.to_builtins(lifecycle.run),
        "runs": lifecycle.runs,
        "champion": [lifecycle.version, lifecycle.pipeline],
        "shadows": [[s.name, s.failed, msgspec.to_builtins(s.gate)] for s in lifecycle.shadows],
    }


def _predict(line: Line, features: dict[str, Any]) -> Prediction | str:
    try:
        return line.learner.predict_alone(features)
    except Exception as error:  # noqa: BLE001 (a probe that the model refuses is what it does)
        return type(error).__name__
