"""``riverrun produce``: a file's rows to the log."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.cli.console import print_json, say
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel
from serve.cli.progress import progress_bar
from stream.errors import InputError, RiverrunError

if TYPE_CHECKING:
    from serve.tabular.events import RowReader
    from serve.traced_sink import EventIds
    from stream.config import Config
    from stream.log import Log, Sink
    from stream.records import NewRecord

_CHUNK = 1_000


class To(StrEnum):
    """Topics that are produced to."""

    EVENTS = "events"
    LABELS = "labels"


def produce(
    file: Annotated[
        Path,
        typer.Argument(help="A .csv, .tsv or .jsonl, also with .gz; - for JSON lines from stdin."),
    ],
    to: Annotated[To, typer.Option("--to", help="The topic; labels sends id and label only.")] = (
        To.EVENTS
    ),
    rate: Annotated[
        str | None, typer.Option("--rate", help="Records a second, such as 500/s; default: all.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="Send the first so many rows only.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Send events or labels from a file.

    Every row is checked as the worker will check it. A file is checked to its end before anything
    is sent; standard input is checked and sent in chunks of 1,000 lines.
    """
    from serve.cli.logs import configure_logs
    from serve.compose import open_stream_log, prepare_topics, read_secrets
    from serve.tabular.events import RowReader
    from stream.load_config import load_config

    configure_logs(LogLevel.WARNING)
    per_second = None if rate is None else _parse_rate(rate)
    settings = load_config(config)
    reader = RowReader(settings, to.value, time.time_ns() // 1_000_000)
    rows = None if str(file) == "-" else _check(reader, file, limit)
    topic = settings.events_topic if to is To.EVENTS else settings.labels_topic
    started = time.monotonic()
    with closing(open_stream_log(settings, read_secrets(os.environ))) as log:
        prepare_topics(settings, log)
        with _sink_of(settings, log) as sink:
            sending = _Sending(sink, topic, per_second)
            try:
                _send(sending, reader, file, limit, rows)
            except (RiverrunError, KeyboardInterrupt):
                say(f"stopped: {sending.sent:,} records were sent to {topic} before this")
                raise
        url = log.url
    seconds = time.monotonic() - started
    if as_json:
        print_json({"sent": sending.sent, "topic": topic, "broker": url, "seconds": seconds})
        return
    pace = f"{sending.sent / max(seconds, 1e-9):,.0f}/s"
    typer.echo(f"sent {sending.sent:,} {to.value} to {topic} on {url} in {seconds:.1f} s ({pace})")


@contextmanager
def _sink_of(config: Config, log: Log) -> Iterator[Sink]:
    """Yield what appends; with a trace of each record, as the environment's ``OTEL_*`` have it."""
    from serve.otel import open_provider

    spans = open_provider(os.environ, _event_ids)
    if spans is None:
        yield log.sink()
        return
    from serve.traced_sink import TracedSink

    try:
        system = config.stream.broker.partition(":")[0]
        yield TracedSink(log.sink(), spans, config.stream.name, system)
    finally:
        spans.shutdown()


def _event_ids() -> EventIds:
    from serve.traced_sink import EventIds

    return EventIds()


class _Sending:
    """Appends at a pace, and knows what is durable."""

    def __init__(self, sink: Sink, topic: str, per_second: float | None) -> None:
        self._sink = sink
        self._per_second = per_second
        self._started = time.monotonic()
        self.topic = topic
        self.sent = 0
        # At a pace, a tenth of a second at once; never nothing.
        self.chunk = _CHUNK if per_second is None else max(1, min(_CHUNK, int(per_second / 10)))

    def append(self, records: list[NewRecord]) -> None:
        if self._per_second is not None:
            due = self._started + self.sent / self._per_second
            time.sleep(max(0.0, due - time.monotonic()))
        self._sink.append(records)
        self._sink.flush()
        self.sent += len(records)


def _send(
    sending: _Sending, reader: RowReader, file: Path, limit: int | None, rows: int | None
) -> None:
    from serve.tabular.files import TableFile

    with TableFile(file) as table, progress_bar(f"sending to {sending.topic}", rows) as show:
        for chunk in _chunks(islice(reader.records(table), limit), sending.chunk):
            sending.append(chunk)
            show(sending.sent, f"{sending.sent:,}")


def _check(reader: RowReader, file: Path, limit: int | None) -> int:
    """Read the file to its end, and return how many rows it has."""
    from serve.tabular.files import TableFile

    rows = 0
    try:
        with TableFile(file) as table, progress_bar(f"checking {file.name}", table.size) as show:
            for chunk in _chunks(islice(reader.records(table), limit), _CHUNK):
                rows += len(chunk)
                show(table.position, f"{rows:,}")
    except InputError as error:
        raise InputError(f"{error}. Nothing was sent") from None
    if not rows and limit != 0:
        raise InputError(f"{file}: there are no rows to send")
    return rows


def _chunks(records: Iterator[NewRecord], size: int) -> Iterator[list[NewRecord]]:
    while chunk := list(islice(records, size)):
        yield chunk


def _parse_rate(text: str) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(?:/\s*s)?", text.strip())
    if match is None or float(match[1]) <= 0:
        raise InputError(f"--rate: found {text!r}; give records a second, such as 500/s")
    return float(match[1])
