"""What came lately, for people who look: the newest predictions, their labels, and anomalies.

A checkpoint carries what is new since the one before, so it stands in the store exactly once
whatever dies when. Nothing that learns depends on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from stream.labels import Label
from stream.learner import Prediction
from stream.settled import Settlement
from stream.step import PredictionRow
from stream.watching.groups import Group

MAX_VALUE_BYTES = 8_192
"""A larger event is not kept with its prediction; its place on the log is."""

if TYPE_CHECKING:
    from stream.line import Line

_GroupKey = tuple[str, str, str]


class KeptPrediction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A prediction as it was made.

    Parameters
    ----------
    id, time
        The event's id and event time, in milliseconds.
    said_at
        When it was predicted, in milliseconds since the epoch.
    prediction
        As ``Learner.predict`` returned it.
    model_version, learned_offset
        Of the model that made it.
    source
        ``worker`` or ``api``: who predicted.
    latency_ms
        From the record's append to its handling.
    features_hash
        Digest of the features.
    topic, partition, offset
        Where the event stands.
    value
        The event's JSON; None where it is over ``MAX_VALUE_BYTES``.
    """

    id: str
    time: int
    said_at: int
    prediction: Prediction
    model_version: str
    learned_offset: int
    source: str
    latency_ms: int
    features_hash: str
    topic: str
    partition: int
    offset: int
    value: bytes | None


class RecentChunk(msgspec.Struct, frozen=True, array_like=True):
    """What one checkpoint adds.

    Parameters
    ----------
    first
        Number of the first prediction: they are counted from 1 over the stream's life.
    predictions
        The newest of those made since the checkpoint before, in order.
    settled
        Ids of kept predictions and the labels that came; None for one that was given up.
    """

    first: int
    predictions: list[KeptPrediction]
    settled: list[Settlement]


class Sighting(msgspec.Struct, frozen=True):
    """Anomalies of one kind and feature that were seen since the checkpoint before.

    Parameters
    ----------
    kind, feature, severity
        What it is; ``feature`` is empty for the event or pane as a whole.
    count
        How many.
    last
        Event time of the last one, in milliseconds.
    sample, expected
        The shape of what was found last, and what was expected.
    """

    kind: str
    feature: str
    severity: str
    count: int
    last: int
    sample: str
    expected: str


class RecentWrite(msgspec.Struct, frozen=True):
    """What a checkpoint does to what came lately.

    Parameters
    ----------
    last
        Number of the newest prediction that was ever made.
    keep
        How many predictions stay.
    count
        How many the chunk holds.
    chunk
        To add; None where nothing happened.
    sightings
        Anomalies since the checkpoint before.
    """

    last: int
    keep: int
    count: int
    chunk: bytes | None
    sightings: Sequence[Sighting]


class Recent:
    """Collects what came since the last checkpoint.

    Of many predictions in one checkpoint only the newest ``keep`` are held, since the others would
    be deleted with it. What is held does not depend on where checkpoints fall.

    Parameters
    ----------
    keep
        How many predictions are kept; 0 keeps none.
    last
        Number of the newest prediction of the last checkpoint.
    ids
        Of the predictions that are kept, oldest first.
    seen
        Anomalies that were counted before; None to begin with what the next ``changes`` finds.

    Examples
    --------
    >>> recent = Recent(2, last=0, ids=[], seen=[])
    >>> recent.changes([], []).chunk is None
    True
    """

    def __init__(
        self, keep: int, *, last: int, ids: Iterable[str], seen: Iterable[Group] | None
    ) -> None:
        self._keep = keep
        self._last = last
        self._fresh: deque[PredictionRow] = deque(maxlen=keep)
        self._ids: deque[str] = deque(ids, maxlen=keep)
        self._seen = None if seen is None else _counts(seen)
        self._next_seen: dict[_GroupKey, int] = {}

    def saw(self, rows: Sequence[PredictionRow]) -> None:
        """Take in the predictions of one step."""
        self._last += len(rows)
        self._fresh.extend(rows)

    def changes(self, settled: Iterable[Settlement], groups: Sequence[Group]) -> RecentWrite:
        """Return what the next checkpoint writes. A failed commit can try again.

        Parameters
        ----------
        settled
            What was settled since the last checkpoint.
        groups
            All anomalies so far.
        """
        known = set(self._ids)
        known.update(row.id for row in self._fresh)
        labels = [pair for pair in settled if pair[0] in known]
        chunk = None
        if self._fresh or labels:
            first = self._last - len(self._fresh) + 1
            kept = RecentChunk(first, [_kept(row) for row in self._fresh], labels)
            chunk = msgspec.msgpack.encode(kept)
        self._next_seen = _counts(groups)
        sightings = [] if self._seen is None else list(_sightings(groups, self._seen))
        return RecentWrite(self._last, self._keep, len(self._fresh), chunk, sightings)

    def committed(self) -> None:
        """Take note that the last ``changes`` were committed."""
        self._ids.extend(row.id for row in self._fresh)
        self._fresh.clear()
        self._seen = self._next_seen


class Known(msgspec.Struct):
    """A kept prediction and what became of it.

    Parameters
    ----------
    number
        Counted from 1 over the stream's life.
    said
        The prediction.
    is_settled
        Whether its label came, or it was given up.
    label
        Its label; None while there is none.
    settled_at
        When the checkpoint was made that the label came with, in seconds since the epoch.
    """

    number: int
    said: KeptPrediction
    is_settled: bool = False
    label: Label | None = None
    settled_at: float | None = None


def joined(chunks: Iterable[tuple[float, RecentChunk]], after: int) -> dict[int, Known]:
    """Return the predictions of chunks with their labels, oldest first, by number.

    Parameters
    ----------
    chunks
        Oldest first, each with the time of its checkpoint.
    after
        Only predictions with a higher number.
    """
    found: dict[int, Known] = {}
    by_id: dict[str, Known] = {}
    for at, chunk in chunks:
        for number, said in enumerate(chunk.predictions, chunk.first):
            if number > after:
                found[number] = by_id[said.id] = Known(number, said)
        for key, label in chunk.settled:
            if (known := by_id.get(key)) is not None:
                known.is_settled, known.label, known.settled_at = True, label, at
    return found


def groups_of(line: Line) -> list[Group]:
    """Return the anomalies of a line so far."""
    return [] if line.watch is None else line.watch.groups.listed()


def _kept(row: PredictionRow) -> KeptPrediction:
    record, served, value = row.record, row.served, row.record.value
    return KeptPrediction(
        row.id,
        row.time,
        record.timestamp + row.latency_ms,
        served.prediction,
        served.model_version,
        served.learned_offset,
        row.source,
        row.latency_ms,
        row.features_hash,
        record.topic,
        record.partition,
        record.offset,
        None if value is None or len(value) > MAX_VALUE_BYTES else value,
    )


def _counts(groups: Iterable[Group]) -> dict[_GroupKey, int]:
    return {(group.kind, group.feature, group.severity): group.count for group in groups}


def _sightings(groups: Iterable[Group], seen: dict[_GroupKey, int]) -> Iterable[Sighting]:
    for group in groups:
        more = group.count - seen.get((group.kind, group.feature, group.severity), 0)
        if more > 0:
            yield Sighting(
                group.kind,
                group.feature,
                group.severity,
                more,
                group.last,
                group.sample,
                group.expected,
            )
