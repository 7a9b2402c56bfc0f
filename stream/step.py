"""What a step of the line wants done outside: predictions and dead letters to publish."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from stream.events import Features, Rejected, Served
from stream.labels import Label
from stream.learner import decide, probabilities
from stream.records import Headers, NewRecord, Record
from stream.sections import Task
from stream.trace import trace_headers
from stream.watching.findings import Finding

SOURCE_TOPIC = "riverrun-source-topic"
SOURCE_PARTITION = "riverrun-source-partition"
SOURCE_OFFSET = "riverrun-source-offset"

ERROR_PREFIX = "__connect.errors."
"""What Kafka Connect's names of a dead letter's headers begin with."""

SOURCE_TIMESTAMP = "riverrun-source-timestamp"
"""Header of a dead letter: when its record was appended, in milliseconds since the epoch."""

OMITTED_BYTES = "riverrun-omitted-bytes"
"""Header of a dead letter that was too large for its topic: how many bytes its value had."""


_ENCODER = msgspec.json.Encoder()
_SORTED = msgspec.json.Encoder(order="sorted")


class PredictionRow(msgspec.Struct, frozen=True):
    """One prediction of the inference log.

    Parameters
    ----------
    record
        The event's record; a repeat after a crash carries the same place.
    id, time
        The event's id and event time.
    served
        The prediction, its model version and learned offset.
    source
        ``worker`` or ``api``: who predicted.
    features_hash
        Digest of the features.
    latency_ms
        From the record's append to its handling.
    """

    record: Record
    id: str
    time: int
    served: Served
    source: str
    features_hash: str
    latency_ms: int


class _Told(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The value of a record of the predictions topic, field by field as it is written."""

    id: str
    time: int
    prediction: Label | None
    probabilities: dict[str, float] | None
    model_version: str
    learned_offset: int
    features_hash: str
    source: str
    latency_ms: int
    answered_by: str | None = None


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that could not be used, and why."""

    record: Record
    rejected: Rejected


class Step(msgspec.Struct):
    """What one call of ``Line.handle`` wants done outside.

    Parameters
    ----------
    predictions, dead_letters
        To publish, in order.
    findings
        What the monitor found, each with the record up to which it was found.
    halt
        Why the worker must stop after this step, or None.
    """

    predictions: list[PredictionRow] = []
    dead_letters: list[DeadLetter] = []
    findings: list[tuple[Record, Finding]] = []
    halt: str | None = None


def prediction_record(row: PredictionRow, topic: str, task: Task, trace: Headers = ()) -> NewRecord:
    """Return the record of the predictions topic for one prediction.

    Parameters
    ----------
    row
        The prediction.
    topic, task
        Where it goes, and what it is of.
    trace
        Headers that hand its trace on; by default the event's own.

    Examples
    --------
    >>> event = Record("t", 0, 7, 1_000, b"k", b"{}")
    >>> row = PredictionRow(event, "a", 1_000, Served(0.75, "v1", 7), "worker", "00", 3)
    >>> record = prediction_record(row, "p", "binary")
    >>> record.key, dict(record.headers)["riverrun-source-offset"]
    (b'a', b'7')
    """
    record, served = row.record, row.served
    value = _Told(
        id=row.id,
        time=row.time,
        prediction=decide(task, served.prediction),
        probabilities=probabilities(task, served.prediction),
        model_version=served.model_version,
        learned_offset=served.learned_offset,
        features_hash=row.features_hash,
        source=row.source,
        latency_ms=row.latency_ms,
        answered_by=served.answered_by,
    )
    headers = source_headers(record)
    if record.headers:
        headers += trace or trace_headers(record.headers)
    return NewRecord(topic, row.id.encode(), _ENCODER.encode(value), headers)


def answer_details(task: Task, served: Served) -> dict[str, Any]:
    """Return what stands beside every prediction, on the log and in the API's answers."""
    return {
        "probabilities": probabilities(task, served.prediction),
        "model_version": served.model_version,
        "learned_offset": served.learned_offset,
    }


def features_hash(features: Features) -> str:
    """Return a short digest of the features as the model saw them, in 16 hexadecimal digits.

    Examples
    --------
    >>> features_hash({"b": 1, "a": "x"}) == features_hash({"a": "x", "b": 1})
    True
    """
    return _digest(_SORTED.encode(features))


def features_hashes(events: Sequence[Features]) -> list[str]:
    """Return the digest of the features of each event; see ``features_hash``."""
    lines = _SORTED.encode_lines(events).split(b"\n")  # JSON holds no such byte
    return [_digest(text) for text in lines[: len(events)]]


def _digest(text: bytes) -> str:
    return blake2b(text, digest_size=8).hexdigest()


def source_headers(record: Record) -> tuple[tuple[str, bytes], ...]:
    """Return headers that name the place of the record a prediction is of."""
    topic, partition = _of_partition(record.topic, record.partition)
    return topic, partition, (SOURCE_OFFSET, b"%d" % record.offset)


@lru_cache(maxsize=1024)
def _of_partition(topic: str, partition: int) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    """Return the headers that all records of a partition share."""
    return (SOURCE_TOPIC, topic.encode()), (SOURCE_PARTITION, b"%d" % partition)


def dead_letter_record(letter: DeadLetter, topic: str) -> NewRecord:
    """Return the record of the dead-letter topic: bytes, key and headers untouched.

    The reason stands in Kafka Connect's headers, so that its tools read it. The record's time, for
    which Connect has no header, stands in one of ours.

    Examples
    --------
    >>> letter = DeadLetter(Record("t", 0, 7, 0, None, b"{"), Rejected("decode", "x", "cut short"))
    >>> record = dead_letter_record(letter, "d")
    >>> record.value, dict(record.headers)["__connect.errors.exception.message"]
    (b'{', b'cut short')
    """
    record, rejected = letter.record, letter.rejected
    reason = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "stage": rejected.stage,
        "class.name": f"riverrun.{rejected.kind}",
        "exception.message": rejected.message[:1_000],
    }
    headers = tuple(
        (f"{ERROR_PREFIX}{name}", text.encode("utf-8", "replace")) for name, text in reason.items()
    )
    stamp = (SOURCE_TIMESTAMP, str(record.timestamp).encode())
    return NewRecord(topic, record.key, record.value, (*record.headers, *headers, stamp))


def shortened(letter: NewRecord) -> NewRecord:
    """Return a dead letter without its value, for one that the log refuses as too large.

    Its headers name the source topic, partition and offset, where the bytes still stand.
    """
    size = str(len(letter.value or b"")).encode()
    return NewRecord(letter.topic, letter.key, None, (*letter.headers, (OMITTED_BYTES, size)))
