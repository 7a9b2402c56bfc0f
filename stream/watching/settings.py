"""From the configuration to a watch."""

from __future__ import annotations

from collections.abc import Callable

from monitor.schema import Schema
from stream.config import Config
from stream.events import Features
from stream.watching.merged_watch import MergedWatch
from stream.watching.monitor_config import monitor_config, shard_monitor_config
from stream.watching.shard_watch import ShardWatch
from stream.watching.watch import Watch


def make_watch(
    config: Config,
    version: str,
    decode: Callable[[bytes], Features],
    schema: Schema | None = None,
) -> Watch | None:
    """Return a watch that has seen nothing; None where the monitor is switched off.

    Parameters
    ----------
    config
        The stream's.
    version
        The model version that predicts.
    decode
        From an event's JSON to its features.
    schema
        What events must be, where that is known.
    """
    section = config.monitor
    if not section.enabled:
        return None
    is_divided = config.stream.shards == "partition"
    made = ShardWatch if is_divided else Watch
    configured = shard_monitor_config if is_divided else monitor_config
    return made(
        configured(section, config.retrain),
        config.model.task,
        version,
        decode=decode,
        schema=schema,
        segments=section.segments,
        panes_kept=section.panes_kept,
    )


def make_merged_watch(
    config: Config, version: str, decode: Callable[[bytes], Features], schema: Schema | None = None
) -> MergedWatch:
    """Return the watch of a divided stream, which has seen nothing; parameters as for a watch."""
    section = config.monitor
    return MergedWatch(
        monitor_config(section, config.retrain),
        config.model.task,
        version,
        decode=decode,
        schema=schema,
        segments=section.segments,
        panes_kept=section.panes_kept,
    )
