"""The event log: reachable, its topics, how long it keeps records, its clock, and the lag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Protocol, runtime_checkable

from serve.api.lag import behind
from serve.compose import Secrets, open_stream_log
from serve.doctor.diagnosis import Chart
from serve.status_reading import missing_file
from stream.config import Config
from stream.log import Bounds, Log
from stream.records import Record, TopicPartition
from stream.redact import without_secrets
from stream.storage.stored import StoredCheckpoint
from stream.units import format_duration

SKEW_MS = 60_000
"""How far a record's time may be ahead of this machine's clock."""
_LATE_CHECKPOINTS, _LATE_SECONDS = 3, 60.0
_LOOK_SECONDS = 5.0


@runtime_checkable
class _Keeping(Protocol):
    """A log that knows how long it keeps records."""

    def retention_ms(self, topics: Sequence[str]) -> dict[str, int | None]:
        """Return it by topic; None for ever."""

    def stamped_by_producers(self, topics: Sequence[str]) -> list[str]:
        """Return the topics whose records have their producer's time."""


def look_at_log(
    chart: Chart, config: Config, secrets: Secrets, newest: StoredCheckpoint | None, now: float
) -> None:
    """Look at the event log, and at how far the newest checkpoint is behind it.

    Parameters
    ----------
    chart
        Takes what is found.
    config, secrets
        Of the stream.
    newest
        The newest checkpoint; None where there is none, or the store does not answer.
    now
        Seconds since the epoch.
    """
    if (path := missing_file(config.stream.broker)) is not None:
        chart.wrong(
            "log",
            f"{path} does not exist",
            "start a worker, which makes it, or correct stream.broker",
        )
        return
    broker = without_secrets(config.stream.broker)
    advice = f"start it, or correct stream.broker ({broker}) and its credentials"
    with chart.looking_at("log", advice), closing(open_stream_log(config, secrets)) as log:
        known = log.topics()
        chart.ok("log", f"{log.url}: {len(known)} topics")
        if not _topics(chart, config, known):
            return
        with closing(log.source([config.events_topic, config.labels_topic])) as source:
            bounds = source.bounds()
            _retention(chart, config, log, newest, now)
            _times(chart, config, log)
            if newest is not None:
                _offsets(chart, newest, bounds)
                _lag(chart, config, newest, bounds, now)
            last = {place: held.end - 1 for place, held in bounds.items()}
            wanted = {p: o for p, o in last.items() if o >= bounds[p].earliest}
            ends = {place: held.end for place, held in bounds.items()}
            source.seek(ends | wanted)
            records = source.poll(len(bounds), _LOOK_SECONDS) if wanted else []
        _clock(chart, records, now)


def _topics(chart: Chart, config: Config, known: Mapping[str, int]) -> bool:
    missing = [topic for topic in config.topic_names if topic not in known]
    if missing:
        chart.wrong(
            "topics",
            f"missing: {', '.join(missing)}",
            "riverrun check --create-topics, or correct [topics]",
        )
        return False
    events, labels = known[config.events_topic], known[config.labels_topic]
    if events != labels:
        chart.warning(
            "topics",
            f"{config.events_topic} has {events} partitions and {config.labels_topic} {labels}",
            "give both the same number, so that an event and its label stand on the same one",
        )
    else:
        chart.ok("topics", f"all 4 are there; events and labels have {events} partitions each")
    return True


def _times(chart: Chart, config: Config, log: Log) -> None:
    if not isinstance(log, _Keeping):
        return
    topics = log.stamped_by_producers([config.events_topic, config.labels_topic])
    if topics:
        chart.warning(
            "times",
            f"records of {', '.join(topics)} have their producers' times: where those clocks "
            "differ, events and labels are read again in another order than they came",
            "set message.timestamp.type=LogAppendTime for them, as riverrun does for its own",
        )
    else:
        chart.ok("times", "records have the broker's")


def _retention(
    chart: Chart, config: Config, log: Log, newest: StoredCheckpoint | None, now: float
) -> None:
    if not isinstance(log, _Keeping):
        chart.ok("retention", "the embedded log keeps everything")
        return
    kept = log.retention_ms([config.events_topic, config.labels_topic])
    age_ms = 0.0 if newest is None else (now - newest.created_at) * 1000
    shown = ", ".join(
        f"{topic} {'for ever' if ms is None else format_duration(ms)}" for topic, ms in kept.items()
    )
    shortest = min((ms for ms in kept.values() if ms is not None), default=None)
    delay = config.labels.max_delay
    if shortest is not None and shortest < delay:
        chart.wrong(
            "retention",
            f"{shown}: shorter than labels.max_delay ({format_duration(delay)})",
            "raise retention.ms of the topics: after a rebuild, predictions would wait for labels "
            "that have expired, and the other way round",
        )
    elif shortest is not None and shortest < 2 * age_ms:
        chart.wrong(
            "retention",
            f"{shown}, and the newest checkpoint is {age_ms / 3_600_000:.1f} h old",
            "start the worker soon, or raise retention.ms: what it has not read will expire",
        )
    else:
        chart.ok("retention", shown)


def _offsets(
    chart: Chart, newest: StoredCheckpoint, bounds: Mapping[TopicPartition, Bounds]
) -> None:
    for text, offset in newest.offsets.items():
        held = bounds.get(TopicPartition.parse(text))
        if held is None or offset > held.end:
            end = "is not there" if held is None else f"ends at {held.end}"
            chart.wrong(
                "offsets",
                f"the newest checkpoint goes on at {offset} of {text}, which {end}",
                "the log was truncated or replaced: restore it; the worker goes back to an older "
                "checkpoint that fits, or says that there is none",
            )
        elif offset < held.earliest:
            chart.wrong(
                "offsets",
                f"the newest checkpoint goes on at {offset} of {text}, which begins at "
                f"{held.earliest}: {held.earliest - offset} records expired unread",
                'set stream.on_gap = "continue" to go on behind them, and keep records longer',
            )


def _lag(
    chart: Chart,
    config: Config,
    newest: StoredCheckpoint,
    bounds: Mapping[TopicPartition, Bounds],
    now: float,
) -> None:
    waiting = {p: behind(held, newest.offsets.get(str(p))) for p, held in bounds.items()}
    total, age = sum(waiting.values()), now - newest.created_at
    late = max(_LATE_SECONDS, _LATE_CHECKPOINTS * config.checkpoint.max_interval / 1000)
    if total and age > late:
        shown = ", ".join(f"{place} {count:,}" for place, count in waiting.items() if count)
        chart.wrong(
            "lag",
            f"behind by {shown}, and the last checkpoint is {age:,.0f} s old: no worker commits",
            "start it with 'riverrun worker', or look at its log (docs/runbook.md#riverrun"
            "workerstopped)",
        )
    else:
        chart.ok("lag", f"{total:,} records wait to be read")


def _clock(chart: Chart, records: Sequence[Record], now: float) -> None:
    ahead = max((record.timestamp - now * 1000 for record in records), default=0.0)
    if ahead > SKEW_MS:
        record = max(records, key=lambda one: one.timestamp)
        chart.wrong(
            "clock",
            f"the newest record of {record.topic} is from {ahead / 1000:,.0f} s in the future",
            "set the clocks of producers, broker and this machine by NTP",
        )
    elif records:
        chart.ok("clock", "no record is from the future")
    else:
        chart.skipped("clock", "there is no record to look at")
