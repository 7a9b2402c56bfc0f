"""From the configuration to a watch."""

from __future__ import annotations

from collections.abc import Callable

from monitor.schema import Schema
from stream.config import Config
from stream.events import Features
from stream.watching.monitor_config import monitor_config
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
    return Watch(
        monitor_config(section, config.retrain),
        config.model.task,
        version,
        decode=decode,
        schema=schema,
        segments=section.segments,
        panes_kept=section.panes_kept,
    )
