"""From the sections ``[monitor]`` and ``[retrain]`` to the monitor's own configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from monitor.config import (
    ConceptConfig,
    DetectorName,
    MonitorConfig,
    PaneConfig,
    SkewConfig,
    TriggerConfig,
)
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from stream.sections import MonitorSection, RetrainSection

T = TypeVar("T")
WRONG_ABOVE = 0.25
"""Loss (a Brier score) above which a binary prediction was wrong."""

PARTS = 4
"""Into how many a pane of so many events is cut on each shard of a divided stream."""

KEYS = {
    "panes.events": "monitor.pane_events",
    "panes.seconds": "monitor.pane_span",
    "panes.keep": "monitor.spans",
    "concept.false_alarms": "monitor.loss_false_alarms",
    "concept.reference_losses": "monitor.reference_losses",
    "trigger.halt_fraction": "monitor.halt_share",
    "trigger.max_per_day": "retrain.max_per_day",
}
"""Keys of the monitor's configuration that the file has under another name."""


def file_key(key: str) -> str:
    """Return the name in the file of a key of the monitor's configuration.

    Examples
    --------
    >>> file_key("panes.events"), file_key("skew.bins")
    ('monitor.pane_events', 'monitor.bins')
    """
    return KEYS.get(key, f"monitor.{key.rpartition('.')[2]}")


def monitor_config(section: MonitorSection, retrain: RetrainSection) -> MonitorConfig:
    """Return the monitor's configuration.

    Raises
    ------
    monitor.errors.ConfigError
        With every value that the monitor refuses.

    Examples
    --------
    >>> from stream.config import MonitorSection, RetrainSection
    >>> monitor_config(MonitorSection(pane_events=500), RetrainSection()).panes.events
    500
    """
    detector: DetectorName | None = None if section.detector == "none" else section.detector
    seconds = None if section.pane_span is None else section.pane_span / 1000
    mistakes: list[str] = []

    def part(make: Callable[[], T], instead: T) -> T:
        try:
            return make()
        except ConfigError as error:
            mistakes.extend(error.mistakes)
            return instead

    skew = part(
        lambda: SkewConfig(
            bins=section.bins,
            categories=section.categories,
            spans=section.spans,
            min_values=section.min_values,
            false_alarms=section.false_alarms,
            wasserstein_floor=section.wasserstein_floor,
            js_floor=section.js_floor,
        ),
        SkewConfig(),
    )
    panes = part(
        lambda: PaneConfig(section.pane_events, seconds, keep=skew.spans[-1]),
        PaneConfig(keep=skew.spans[-1]),
    )
    concept = part(
        lambda: ConceptConfig(
            detector,
            section.loss_false_alarms,
            section.reference_losses,
            binary_above=WRONG_ABOVE,
        ),
        ConceptConfig(),
    )
    trigger = part(
        lambda: TriggerConfig(
            halt_fraction=section.halt_share,
            calm_panes=section.calm_panes,
            cooldown_panes=section.cooldown_panes,
            max_per_day=retrain.max_per_day,
        ),
        TriggerConfig(),
    )
    if mistakes:
        raise ConfigError(mistakes)
    return MonitorConfig(panes, skew, concept, trigger, section.warmup_events)


def shard_monitor_config(section: MonitorSection, retrain: RetrainSection) -> MonitorConfig:
    """Return the configuration of one shard's monitor: where panes are cut by count, shorter ones.

    Panes add up in any grouping: the stream's are sums of so many events of any of its shards.
    """
    config = monitor_config(section, retrain)
    events = max(10, config.panes.events // PARTS)
    return replace(config, panes=replace(config.panes, events=events))
