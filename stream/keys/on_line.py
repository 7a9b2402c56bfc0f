"""What the line and its checkpoints do with models per key; nothing, where there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from stream.config import Config
from stream.events import Decoded, Event, Features, LabelMessage
from stream.keys.per_key import KEY, PARENT, PerKeyLearner, key_settings
from stream.keys.rows import KeyRow, KeyWrite, LoadKeys
from stream.learner import Learner
from stream.step import PredictionRow
from stream.waiting import Pending, Waiting

if TYPE_CHECKING:
    from stream.line import Line


def make_learner(model: Any, config: Config) -> Learner:
    """Return what learns, by a configuration: one model, or one for each key, too."""
    settings = key_settings(config)
    if settings is None:
        return Learner(model, config.model.task)
    return PerKeyLearner(model, config.model.task, settings)


def prepare(
    learner: Learner,
    decoded: Iterable[Decoded],
    pending: Waiting[Pending],
    features_of: Callable[[bytes], Features],
) -> None:
    """Bring the models of keys that records are of into memory, before any is handled.

    Parameters
    ----------
    learner
        The line's.
    decoded
        The records.
    pending
        Predictions that wait for their labels.
    features_of
        Decodes the features of one of them.
    """
    if not isinstance(learner, PerKeyLearner) or learner.keys.fits:
        return
    wanted = set()
    for found in decoded:
        features: Features | None = None
        if isinstance(found, Event):
            features = found.features
        elif isinstance(found, LabelMessage) and (waits := pending.get(found.id)) is not None:
            features = features_of(waits.value)
        if features is not None and (key := learner.key_of(features)) is not None:
            wanted.add(key)
    learner.keys.prepare(wanted)


def count_answers(learner: Learner, predictions: Sequence[PredictionRow]) -> None:
    """Count which models predictions are of, whoever asked them."""
    if isinstance(learner, PerKeyLearner):
        by_key = sum(row.served.answered_by == KEY for row in predictions)
        learner.answers[KEY] += by_key
        learner.answers[PARENT] += len(predictions) - by_key


def key_changes(line: Line) -> KeyWrite | None:
    """Return what changed of the models of keys since the last checkpoint."""
    learner = line.learner
    return learner.keys.changes() if isinstance(learner, PerKeyLearner) else None


def key_sum(line: Line) -> bytes:
    """Return what all keys come to, for the checkpoint's part of it."""
    learner = line.learner
    return msgspec.json.encode(learner.keys.sum() if isinstance(learner, PerKeyLearner) else None)


def mark_keys_committed(line: Line, change: KeyWrite | None, number: int) -> None:
    """Tell the models of keys that their changes were committed under a number."""
    if change is not None and isinstance(line.learner, PerKeyLearner):
        line.learner.keys.committed(change, number)


def restore_keys(line: Line, rows: Sequence[KeyRow]) -> None:
    """Give a learner that was unpickled the keys of its checkpoint, as the configuration says."""
    learner, settings = line.learner, key_settings(line.config)
    if isinstance(learner, PerKeyLearner) and settings is not None:
        learner.configure(settings)
        learner.keys.restore(rows, learner.told_before)


def load_from(line: Line, load: LoadKeys) -> None:
    """Let the models of keys leave memory, and say how those that were committed are read."""
    if isinstance(line.learner, PerKeyLearner):
        line.learner.keys.load = load


def keys_told(learner: Learner) -> dict[str, Any] | None:
    """Return what the digest says of keys; None where there are none."""
    return learner.told() if isinstance(learner, PerKeyLearner) else None


def keys_status(learner: Learner) -> dict[str, Any] | None:
    """Return what the status says of keys; None where there are none."""
    if not isinstance(learner, PerKeyLearner):
        return None
    keys = learner.keys
    return {
        "per": learner.settings.per,
        "keys": len(keys),
        "in_memory": keys.held,
        "spilled": len(keys) - keys.held,
        "made": keys.made,
        "forgotten": keys.forgotten,
        "unkeyed": learner.unkeyed,
        "answers": dict(learner.answers),
        "loads": keys.loads,
        "spills": keys.spills,
        "crowded_checkpoints": keys.crowded,
        "settings": msgspec.to_builtins(learner.settings),
    }
