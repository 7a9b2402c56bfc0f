"""From one event's JSON to its answer: read, recall, judge, predict, record, remember."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec

from serve.api.event_reader import new_key
from serve.api.live_model import Answering, Live, NoModelOfShardError, Said, Voice
from serve.api.predicting.checking import Flag, flagged, refused
from serve.api.predicting.memory import Given
from serve.api.problems import FieldError, Problem, problem_of
from serve.api.served_stream import ServedStream
from serve.api.tracing import current_trace
from stream.events import SERVED_HEADER, Event, Features, Rejected, Served
from stream.labels import Label
from stream.learner import decide, probabilities
from stream.log import MAX_RECORD_BYTES
from stream.records import NewRecord

_encode = msgspec.json.Encoder().encode

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=512)] | None
"""What an event is keyed by, where that is not its id."""


class Answered(NamedTuple):
    """The answer to one event.

    Parameters
    ----------
    body
        JSON in the shape of ``serve.api.models.Prediction``.
    repeated
        Whether it was given before.
    """

    body: bytes
    repeated: bool


class _Answer(msgspec.Struct, gc=False, omit_defaults=True):
    event_id: str | None
    prediction: Label | None
    probabilities: dict[str, float] | None
    model_version: str
    learned_offset: int
    staleness_seconds: float
    recorded: bool
    flags: list[Flag]
    answered_by: str | None = None
    shards: tuple[Voice, ...] | msgspec.UnsetType = msgspec.UNSET
    silent_shards: int | msgspec.UnsetType = msgspec.UNSET


def answer_one(
    stream: ServedStream,
    live: Live,
    value: bytes,
    record: bool,
    where: str,
    key: str | None = None,
) -> Answered | Problem:
    """Predict one event, and hand it over to be recorded where that is asked for.

    Parameters
    ----------
    stream
        Whose event it is.
    live
        The model that answers; of a divided stream those of which one does, or all.
    value
        The event's JSON, appended as it is.
    record
        Whether the event is to be appended.
    where
        What names the event in a problem.
    key
        Of an event that is not recorded, by which its shard is found; default its id.

    Returns
    -------
    Answered
        A recorded event whose id was answered before has the same answer, and is not recorded
        again.
    Problem
        Why there is no prediction; then nothing is recorded.
    """
    reader, now = stream.reader, stream.clock.now()
    now_ms = round(now * 1000)
    if not record:
        event = reader.question(value, now_ms)
        if isinstance(event, Rejected):
            return reader.problem(event, value, where)
        answering = answering_of(live, event.id if key is None else key)
        if isinstance(answering, Problem):
            return answering
        said = say(stream, answering, event.features, where)
        if isinstance(said, Problem):
            return said
        shown = (event.id or None) if reader.has_id else None
        stream.answered += 1
        return Answered(_body(stream, answering, shown, said, now, recorded=False), False)
    event = reader.event(value, now_ms, None if reader.has_id else new_key())
    if isinstance(event, Rejected):
        return reader.problem(event, value, where)
    answering = answering_of(live, event.id)
    if isinstance(answering, Problem):
        return answering
    return _recorded(stream, answering, event, value, now, where)


def answering_of(live: Live, key: str) -> Answering | Problem:
    """Return what answers for a key: of a divided stream, the model of the key's shard, or all."""
    try:
        return live.of_key(key)
    except NoModelOfShardError as error:
        return problem_of(503, "no_model", str(error))


def _recorded(
    stream: ServedStream, live: Answering, event: Event, value: bytes, now: float, where: str
) -> Answered | Problem:
    memory, remembers = stream.memory, stream.reader.has_id and stream.memory.capacity
    digest = stream.reader.digest(event) if remembers else b""
    if remembers and (before := memory.recall(event.id)) is not None:
        return _again(stream, before, digest, event, where, value)
    said = say(stream, live, event.features, where)
    if isinstance(said, Problem):
        return said
    served = Served(said[0].prediction, live.version, live.learned_offset, said[0].answered_by)
    header = _encode(served)
    new = _record(stream, event, value, header)
    if new.size > MAX_RECORD_BYTES:
        return _too_large_to_record(new, where)
    body = _body(stream, live, event.id, said, now, recorded=True)
    if remembers:
        first = memory.claim(event.id, Given(digest, body, header))
        if first.answer is not body:  # another process answered in this very moment
            return _again(stream, first, digest, event, where, value)
    stream.answered += 1
    if stream.recorder.offer(new):
        return Answered(body, False)
    if remembers:
        memory.forget(event.id)
    return Answered(_body(stream, live, event.id, said, now, recorded=False), False)


def _record(stream: ServedStream, event: Event, value: bytes, header: bytes) -> NewRecord:
    headers = ((SERVED_HEADER, header), *current_trace())
    return NewRecord(stream.config.events_topic, event.id.encode(), value, headers)


def _again(
    stream: ServedStream, before: Given, digest: bytes, event: Event, where: str, value: bytes
) -> Answered | Problem:
    if before.digest == digest:
        stream.memory.repeated += 1
        if stream.memory.take_over(event.id, before):  # who gave it was killed, or gave up
            record = _record(stream, event, value, before.unrecorded)
            if not stream.recorder.offer(record):
                stream.memory.give_back(event.id)
        return Answered(before.answer, True)
    field = f"{where}.{stream.config.event.id}"
    message = (
        f"the id {event.id!r} was answered and recorded with another event; an id is learned from "
        "once: send another id, or ask with record = false"
    )
    errors = [FieldError(field=field, message=message)]
    return problem_of(409, "id_reused", f"{field}: {message}", errors=errors)


def say(
    stream: ServedStream, live: Answering, features: Features, where: str
) -> tuple[Said, list[Flag]] | Problem:
    """Judge features by the served schema, and predict them.

    Parameters
    ----------
    stream
        Its configuration says what becomes of an error.
    live
        The model that answers.
    features
        Of the event.
    where
        What names the event in a problem.
    """
    judged = judge(stream, live, features, where)
    if isinstance(judged, Problem):
        return judged
    flags, features = judged
    try:
        return live.say(features), flags
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        message = f"the model raised {type(error).__name__}: {error}"[:500]
        errors = [FieldError(field=where, message=message)]
        return problem_of(422, "model_error", f"{where}: {message}", errors=errors)


def judge(
    stream: ServedStream, live: Answering, features: Features, where: str
) -> tuple[list[Flag], Features] | Problem:
    """Return what the served schema says of features, and those that a model can use."""
    anomalies = () if live.judge is None else live.judge.anomalies(features)
    if not anomalies:
        return [], features
    if stream.config.api.on_schema_error == "refuse":
        problem = refused(anomalies, where)
        if problem is not None:
            stream.refused += 1
            return problem
    stream.flagged += 1
    return flagged(anomalies, features)


def _body(
    stream: ServedStream,
    live: Answering,
    shown: str | None,
    said: tuple[Said, list[Flag]],
    now: float,
    *,
    recorded: bool,
) -> bytes:
    task, prediction = stream.config.model.task, said[0].prediction
    answer = _Answer(
        shown,
        decide(task, prediction),
        probabilities(task, prediction),
        live.version,
        live.learned_offset,
        round(max(0.0, now - live.created_at), 3),
        recorded,
        said[1],
        said[0].answered_by,
    )
    if live.is_of_shards:
        answer.shards, answer.silent_shards = said[0].voices, said[0].silent
    return _encode(answer)


def _too_large_to_record(record: NewRecord, where: str) -> Problem:
    message = (
        f"{record.size:,} bytes with its prediction are over the log's limit of "
        f"{MAX_RECORD_BYTES:,}; send a smaller event, or ask with record = false"
    )
    errors = [FieldError(field=where, message=message)]
    return problem_of(413, "too_large", f"{where}: {message}", errors=errors)


def plain_problem(problem: Problem) -> dict[str, Any]:
    """Return a problem as it stands among the answers to many events."""
    return problem.model_dump(exclude_none=True)
