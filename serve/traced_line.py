"""Spans of single events in the worker: a prediction, and the label that it was learned from.

An event is traced where its record has a ``traceparent`` whose sender samples it. The worker
begins no trace by itself: who sends events decides which are followed, and all others cost nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stream.config import Config
from stream.events import Decoder, LabelMessage
from stream.labels import LabelReader
from stream.line import Line
from stream.records import Headers, Record
from stream.step import PredictionRow, Step
from stream.trace import TRACEPARENT, TRACESTATE, trace_headers

_MAX_WAITING = 100_000
_FLUSH_MILLISECONDS = 5_000
_PROPAGATOR = TraceContextTextMapPropagator()


class TracedLine:
    """Follows traced events through the line.

    Parameters
    ----------
    config
        The stream's.
    provider
        Of spans; shut down by ``close``.

    Notes
    -----
    The contexts of predictions that wait for their label are held in memory, the newest
    ``_MAX_WAITING`` of them: after a restart the span of a label has no link to its prediction.
    """

    def __init__(self, config: Config, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("riverrun")
        self._stream = config.stream.name
        self._labels_topic = config.labels_topic
        self._system = config.stream.broker.partition(":")[0]
        self._decoder = Decoder(config.event, LabelReader(config.model.task, config.model.classes))
        self._waiting: OrderedDict[str, api.SpanContext] = OrderedDict()
        self._published: dict[int, Headers] = {}

    def handle(self, line: Line, records: Sequence[Record], now: int) -> Step:
        """Let a line handle records, and make spans of those that are traced."""
        labels = self._labels(line, records)
        together = {message.id for _, message, _ in labels}
        began = time.time_ns()
        step = line.handle(records, now)
        self._published = {}
        for row in step.predictions:
            if row.record.headers and (parent := trace_headers(row.record.headers)):
                self._predicted(line, row, parent, began, row.id in together)
        for letter in step.dead_letters:
            if letter.record.headers and (parent := trace_headers(letter.record.headers)):
                self._rejected(letter.record, letter.rejected, parent, began)
        for record, message, was_settled in labels:
            self._labelled(line, record, message, was_settled, began)
        return step

    def headers_of(self, row: PredictionRow) -> Headers:
        """Return the headers that hand a prediction's trace on."""
        return self._published.get(id(row), ())

    def close(self) -> None:
        """Hand over what waits."""
        self._provider.force_flush(_FLUSH_MILLISECONDS)
        self._provider.shutdown()

    def _predicted(
        self, line: Line, row: PredictionRow, parent: Headers, began: int, has_label: bool
    ) -> None:
        served = row.served
        about = {
            "riverrun.event.id": row.id,
            "riverrun.source": row.source,
            "riverrun.model.version": served.model_version,
            "riverrun.model.learned_offset": served.learned_offset,
        }
        span = self._begin("predict", row.record, parent, about, began)
        if row.id in line.settled and not has_label:  # its label stood in the event
            span.set_attribute("riverrun.learned", True)
        span.end()
        context = span.get_span_context()
        self._published[id(row)] = _headers(context)
        if has_label or row.id in line.pending:
            self._waiting[row.id] = context
            if len(self._waiting) > _MAX_WAITING:
                self._waiting.popitem(last=False)

    def _rejected(self, record: Record, rejected: Any, parent: Headers, began: int) -> None:
        about = {"riverrun.stage": rejected.stage, "error.type": rejected.kind}
        span = self._begin("reject", record, parent, about, began)
        span.set_status(api.StatusCode.ERROR, rejected.message[:500])
        span.end()

    def _labels(
        self, line: Line, records: Sequence[Record]
    ) -> list[tuple[Record, LabelMessage, bool]]:
        """Return the labels that are traced, or whose prediction is, before they are handled."""
        found = []
        for record in records:
            if record.topic != self._labels_topic:
                continue
            message = self._decoder.label(record)
            if isinstance(message, LabelMessage):
                found.append((record, message, message.id in line.settled))
        return found

    def _labelled(
        self, line: Line, record: Record, message: LabelMessage, was_settled: bool, began: int
    ) -> None:
        predicted = self._waiting.pop(message.id, None)
        parent = trace_headers(record.headers)
        if predicted is None and not parent:
            return
        learned = not was_settled and message.id in line.settled
        about = {"riverrun.event.id": message.id, "riverrun.learned": learned}
        links = [] if predicted is None else [api.Link(predicted)]
        if not parent and predicted is not None:
            parent = _headers(predicted)
        self._begin("learn", record, parent, about, began, links).end()

    def _begin(
        self,
        what: str,
        record: Record,
        parent: Headers,
        about: dict[str, Any],
        began: int,
        links: Sequence[api.Link] = (),
    ) -> api.Span:
        known: dict[str, Any] = {
            "riverrun.stream": self._stream,
            "messaging.system": self._system,
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
        }
        carrier = {name: value.decode() for name, value in parent}
        return self._tracer.start_span(
            f"{what} {self._stream}",
            context=_PROPAGATOR.extract(carrier),
            kind=api.SpanKind.CONSUMER,
            attributes=known | about,
            links=links,
            start_time=began,
        )


def _headers(context: api.SpanContext) -> Headers:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, api.set_span_in_context(api.NonRecordingSpan(context)))
    kept = (TRACEPARENT, TRACESTATE)
    return tuple((name, carrier[name].encode()) for name in kept if name in carrier)
