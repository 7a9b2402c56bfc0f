"""Keys whose events are on several partitions: each of their shards has a model of its own."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from stream.config import Config
from stream.events import Decoder, Event
from stream.keys.per_key import PerKeyLearner, key_settings
from stream.labels import LabelReader
from stream.records import Record

_log = structlog.get_logger("riverrun.shards")

_LONGEST = 100


def warn_of_scattered_keys(config: Config, records: Iterable[Record]) -> int:
    """Warn where one key of ``model.per`` is on several partitions; return how many are.

    Parameters
    ----------
    config
        The stream's.
    records
        The newest of each partition.
    """
    settings = key_settings(config)
    if settings is None:
        return 0
    learner = PerKeyLearner(None, config.model.task, settings)
    decoder = Decoder(config.event, LabelReader(config.model.task, config.model.classes))
    found: dict[str, set[int]] = {}
    for record in records:
        if record.topic != config.events_topic:
            continue
        event = decoder.event(record)
        if isinstance(event, Event) and (key := learner.key_of(event.features)) is not None:
            found.setdefault(key, set()).add(record.partition)
    scattered = {key: places for key, places in found.items() if len(places) > 1}
    if scattered:
        key, places = next(iter(scattered.items()))
        _log.warning(
            "keys_scattered",
            per=settings.per,
            keys=len(scattered),
            of=len(found),
            example=key[:_LONGEST],
            partitions=sorted(places),
            advice="each of these shards has a model of that key, which has seen a part of its "
            f"events; for one model a key, produce events and labels with {settings.per!r} as "
            "the record's key",
        )
    return len(scattered)
