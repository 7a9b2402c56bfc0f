"""Spans of what a program sends: the trace of an event begins where it is produced."""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import blake2b

import structlog
from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stream.log import Receipt, Sink
from stream.records import NewRecord

_SLOW_SECONDS = 5.0
_PROPAGATOR = TraceContextTextMapPropagator()
_log = structlog.get_logger("riverrun.traces")


def trace_of(stream: str, event_id: str) -> int:
    """Return the trace of an event, so that its label is in it whoever sends that, and when.

    Examples
    --------
    >>> f"{trace_of('flights', 'UA-123'):032x}"
    '0ae51cc765887383038b0225a00d8caf'
    """
    digest = blake2b(f"{stream}\0{event_id}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big") or 1


class EventIds(RandomIdGenerator):
    """Gives traces the number that ``next_trace`` says, or a random one where it is None."""

    next_trace: int | None = None

    def generate_trace_id(self) -> int:
        """Return the number of a new trace."""
        return super().generate_trace_id() if self.next_trace is None else self.next_trace

    def is_trace_id_random(self) -> bool:
        """Return that they follow from ids."""
        return False


class TracedSink:
    """Begins a trace for each record that is appended, where the sampler takes it.

    Records with the same key, an event and its label, are in one trace. One that is not sampled
    is appended as it came: the worker makes no spans of it either.

    Parameters
    ----------
    sink
        That appends.
    provider
        Of spans, with ``EventIds``; closed by whoever opened it.
    stream, system
        What the stream is called, and what carries it.
    """

    def __init__(self, sink: Sink, provider: TracerProvider, stream: str, system: str) -> None:
        if not isinstance(provider.id_generator, EventIds):
            raise TypeError("the provider needs EventIds as its id_generator")
        self._sink = sink
        self._provider = provider
        self._ids = provider.id_generator
        self._tracer = provider.get_tracer("riverrun")
        self._stream, self._system = stream, system
        self._waits_for_export = True

    def append(self, records: Sequence[NewRecord]) -> Receipt:
        """Append records with the headers of their traces, and wait until they are durable."""
        spans = [self._begin(record) for record in records]
        traced = [_with_headers(*pair) for pair in zip(records, spans, strict=True)]
        try:
            receipt = self._sink.append(traced)
            places = receipt.offsets()
        except BaseException as error:
            for span in spans:
                span.set_status(api.StatusCode.ERROR, str(error)[:500])
                span.end()
            raise
        for span, (place, offset) in zip(spans, places, strict=True):
            span.set_attribute("messaging.destination.partition.id", str(place.partition))
            span.set_attribute("messaging.kafka.offset", offset)
            span.end()
        self._export()
        return receipt

    def flush(self, timeout_seconds: float = 30.0) -> None:
        """Wait until everything is durable."""
        self._sink.flush(timeout_seconds)

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()

    def _begin(self, record: NewRecord) -> api.Span:
        about = {
            "riverrun.stream": self._stream,
            "messaging.system": self._system,
            "messaging.destination.name": record.topic,
        }
        self._ids.next_trace = None
        if record.key is not None:
            about["riverrun.event.id"] = record.key.decode()
            self._ids.next_trace = trace_of(self._stream, about["riverrun.event.id"])
        return self._tracer.start_span(
            f"produce {self._stream}",
            context=api.set_span_in_context(api.INVALID_SPAN),
            kind=api.SpanKind.PRODUCER,
            attributes=about,
        )

    def _export(self) -> None:
        """Send what waits, so that a fast producer does not overflow the SDK's queue."""
        if not self._waits_for_export:
            return
        began = time.monotonic()
        self._provider.force_flush()
        if time.monotonic() - began > _SLOW_SECONDS:  # nobody is stopped by a collector
            self._waits_for_export = False
            _log.warning("collector_slow", advice="spans that it does not take in time are lost")


def _with_headers(record: NewRecord, span: api.Span) -> NewRecord:
    if not span.is_recording():
        return record
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, api.set_span_in_context(span))
    headers = tuple((name, value.encode()) for name, value in carrier.items())
    return NewRecord(
        record.topic, record.key, record.value, (*record.headers, *headers), record.partition
    )
