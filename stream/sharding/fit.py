"""Whether a stream can be divided: its topics, its keys, and what the store holds of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from stream.config import Config
from stream.errors import HaltedError, LogError, TopicNotFoundError
from stream.events import Decoder, Event, LabelMessage
from stream.labels import LabelReader
from stream.log import Log
from stream.records import Record
from stream.sharding.names import shard_name, shard_names
from stream.sharding.scattered import warn_of_scattered_keys
from stream.storage.sharding import Sharding
from stream.storage.tables import SHARD

_SAMPLE = 200
"""Newest records of each partition whose keys are looked at."""
_POLL_SECONDS = 1.0
_LONGEST_KEY = 100


class NotDivisibleError(LogError):
    """Raised where labels would not find their events' shard."""

    exit_code = 2


def shard_count(config: Config, log: Log) -> int:
    """Return how many shards a stream has: one a partition, if labels find their events.

    Raises
    ------
    NotDivisibleError
        When events and labels have another number of partitions, or other keys.
    TopicNotFoundError, LogUnreachableError
    """
    events, labels = config.events_topic, config.labels_topic
    known = log.topics()
    for topic in (events, labels):
        if topic not in known:
            raise TopicNotFoundError(topic, log.url, list(known))
    if known[events] != known[labels]:
        raise NotDivisibleError(
            f'stream.shards = "partition": {events} has {known[events]} partitions and {labels} '
            f"has {known[labels]}. A label finds its event only where both have the same number; "
            'make one of the topics anew, or set stream.shards = "all"'
        )
    newest = _newest_records(log, [events, labels])
    _check_keys(config, newest)
    warn_of_scattered_keys(config, newest)
    return known[events]


def refuse_other_shards(config: Config, sharding: Sharding, count: int | None) -> None:
    """Raise where the store holds the stream divided in another way than it is now.

    Parameters
    ----------
    config
        The stream's.
    sharding
        What the store knows.
    count
        Of partitions; None for a stream that is not divided.

    Raises
    ------
    HaltedError
    """
    fitting = {SHARD} if count is None else set(shard_names(count))
    others = sorted(set(sharding.names()) - fitting)
    if not others:
        return
    now = "is not divided" if count is None else f"has {count} partitions"
    was = "was not divided" if others == [SHARD] else f"was divided into {_shown(others)}"
    raise HaltedError(
        f"the store holds {config.stream.name!r} as it {was}, and now it {now}: no state of one "
        "fits the other, since keys are elsewhere. Put it back as it was (stream.shards, the "
        "number of partitions), or give the stream another name, which learns it anew"
    )


def _shown(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def refuse_grown(number: int, count: int, topic: str) -> None:
    """Raise where the group hands out a partition that was not there at the start.

    Raises
    ------
    HaltedError
    """
    if number >= count:
        raise HaltedError(
            f"{topic} has grown beyond its {count} partitions while it was read: keys are "
            f"elsewhere from now on, and {shard_name(number, count)} would be no shard of this "
            "stream. Give the stream another name, which learns it anew from the log"
        )


def _newest_records(log: Log, topics: list[str]) -> list[Record]:
    with closing(log.source(topics)) as source:
        bounds = source.bounds()
        source.seek({tp: max(held.earliest, held.end - _SAMPLE) for tp, held in bounds.items()})
        wanted = sum(min(_SAMPLE, held.end - held.earliest) for held in bounds.values())
        found: list[Record] = []
        while len(found) < wanted:
            records = source.poll(wanted - len(found), _POLL_SECONDS)
            if not records:
                break
            found += records
    return found


def _check_keys(config: Config, records: Iterable[Record]) -> None:
    """Raise where a label is on another partition than its event is, or would be."""
    events, labels = _by_id(config, records)
    if not labels:  # labels that come inside their events need no key
        return
    for found in (events, labels):
        for id_, record in found.items():
            if record.key is None:
                raise _misfit(
                    record, id_, "it has no key, so that its partition is a matter of luck"
                )
    for id_, label in labels.items():
        event = events.get(id_)
        if event is not None and event.partition != label.partition:
            said = f"its event is at {_place(event)}, with key {_shown_key(event)}"
            raise _misfit(label, id_, said)


def _by_id(
    config: Config, records: Iterable[Record]
) -> tuple[dict[str, Record], dict[str, Record]]:
    """Return the records of events and of labels, by the id that they name."""
    decoder = Decoder(config.event, LabelReader(config.model.task, config.model.classes))
    events: dict[str, Record] = {}
    labels: dict[str, Record] = {}
    for record in records:
        if record.topic == config.labels_topic:
            message = decoder.label(record)
            if isinstance(message, LabelMessage):
                labels[message.id] = record
        elif isinstance(event := decoder.event(record), Event):
            events[event.id] = record
    return events, labels


def _misfit(record: Record, id_: str, why: str) -> NotDivisibleError:
    return NotDivisibleError(
        f'stream.shards = "partition": {_place(record)} (id {id_[:_LONGEST_KEY]!r}, key '
        f"{_shown_key(record)}): {why}. A label finds its event only where both are produced with "
        "the same key, such as the event's id, by clients with the same partitioner; correct the "
        'producers, or set stream.shards = "all"'
    )


def _place(record: Record) -> str:
    return f"{record.topic}-{record.partition}:{record.offset}"


def _shown_key(record: Record) -> str:
    return (
        "none" if record.key is None else repr(record.key[:_LONGEST_KEY].decode(errors="replace"))
    )
