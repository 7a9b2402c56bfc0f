"""Configuration of the monitor: frozen values with the documented defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from monitor.errors import ConfigError

DetectorName = Literal["ADWIN", "DDM", "EDDM", "HDDM_A", "HDDM_W", "PageHinkley", "KSWIN"]
DETECTORS: tuple[DetectorName, ...] = (
    "ADWIN",
    "DDM",
    "EDDM",
    "HDDM_A",
    "HDDM_W",
    "PageHinkley",
    "KSWIN",
)
_BUDGET = re.compile(r"\s*(\d+(?:\.\d+)?)\s+per\s+([\d_,]+)\s+(panes?|losses|loss)\s*")


def parse_budget(text: str, unit: Literal["panes", "losses"] = "panes") -> float:
    """Turn a stated false-alarm budget into a rate per unit.

    Parameters
    ----------
    text
        `"<count> per <number> panes"` (or `losses`), for instance `"1 per 1000 panes"`.
    unit
        The unit the text must be in.

    Returns
    -------
    float
        False alarms per pane (or per loss), between 0 and 1, both excluded.

    Raises
    ------
    ConfigError
        The text has another form, another unit, or a rate outside (0, 1).

    Examples
    --------
    >>> parse_budget("1 per 1000 panes")
    0.001
    """
    match = _BUDGET.fullmatch(text)
    if match is None or match[3][0] != unit[0]:
        wanted = f'"<count> per <number> {unit}", such as "1 per 1000 {unit}"'
        raise ConfigError([f'false_alarms = "{text}": expected {wanted}'])
    digits = match[2].replace("_", "").replace(",", "")
    total = float(digits) if digits else 0.0
    rate = float(match[1]) / total if total else 0.0
    if not 0.0 < rate < 1.0:
        raise ConfigError([f'false_alarms = "{text}": expected a rate above 0 and below 1'])
    return rate


def _between(mistakes: list[str], key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        mistakes.append(f"{key} = {value!r}: expected {low:g} to {high:g}")


@dataclass(frozen=True, slots=True)
class PaneConfig:
    """How the stream is cut into panes.

    Parameters
    ----------
    events
        Events in a pane; used when `seconds` is not set.
    seconds
        Length of a pane in seconds of event time; panes then end at multiples of it.
    keep
        How many closed panes are kept in memory; at least the longest span.
    """

    events: int = 1000
    seconds: float | None = None
    keep: int = 64

    def __post_init__(self) -> None:
        mistakes: list[str] = []
        _between(mistakes, "panes.events", self.events, 10, 10_000_000)
        if self.seconds is not None:
            _between(mistakes, "panes.seconds", self.seconds, 0.001, 31_536_000)
        _between(mistakes, "panes.keep", self.keep, 1, 10_000)
        if mistakes:
            raise ConfigError(mistakes)


@dataclass(frozen=True, slots=True)
class SkewConfig:
    """How value skew is tested.

    Parameters
    ----------
    bins
        Equal-mass bins of a numeric column.
    categories
        Categories of a categorical column that are counted by name.
    spans
        Lengths, in panes, of the spans that are tested together.
    min_values
        A span with fewer values of a column is `INSUFFICIENT`.
    false_alarms
        The budget for the whole stream, `"<count> per <number> panes"`.
    wasserstein_floor
        Effect floor of the Wasserstein distance, in standard deviations of the reference.
    js_floor
        Effect floor of the Jensen-Shannon distance, base 2.
    guard_quantile
        Quantile over held-out reference panes that a threshold is never below.
    """

    bins: int = 32
    categories: int = 100
    spans: tuple[int, ...] = (1, 4, 16)
    min_values: int = 100
    false_alarms: str = "1 per 1000 panes"
    wasserstein_floor: float = 0.1
    js_floor: float = 0.1
    guard_quantile: float = 0.99

    def __post_init__(self) -> None:
        mistakes: list[str] = []
        _between(mistakes, "skew.bins", self.bins, 2, 256)
        _between(mistakes, "skew.categories", self.categories, 1, 1000)
        _between(mistakes, "skew.min_values", self.min_values, 10, 10_000_000)
        _between(mistakes, "skew.wasserstein_floor", self.wasserstein_floor, 0, 100)
        _between(mistakes, "skew.js_floor", self.js_floor, 0, 1)
        _between(mistakes, "skew.guard_quantile", self.guard_quantile, 0.5, 1)
        if not self.spans or list(self.spans) != sorted(set(self.spans)) or self.spans[0] < 1:
            mistakes.append(
                f"skew.spans = {self.spans!r}: expected increasing numbers of panes, such as (1, 4)"
            )
        try:
            parse_budget(self.false_alarms)
        except ConfigError as error:
            mistakes += [f"skew.{mistake}" for mistake in error.mistakes]
        if mistakes:
            raise ConfigError(mistakes)

    @property
    def budget(self) -> float:
        """False alarms per pane."""
        return parse_budget(self.false_alarms)


@dataclass(frozen=True, slots=True)
class ConceptConfig:
    """How the loss is watched.

    Parameters
    ----------
    detector
        Name of a River detector that runs beside the anytime-valid test, or None.
    false_alarms
        Budget of the anytime-valid test, `"<count> per <number> losses"`.
    reference_losses
        How many losses the reference mean is taken from.
    tolerance
        A mean loss up to this share above the reference is not a change.
    binary_above
        Detectors that take errors (0 or 1) are given `loss > binary_above`.
    """

    detector: DetectorName | None = "ADWIN"
    false_alarms: str = "1 per 100_000 losses"
    reference_losses: int = 2000
    tolerance: float = 0.02
    binary_above: float = 0.5

    def __post_init__(self) -> None:
        mistakes: list[str] = []
        if self.detector is not None and self.detector not in DETECTORS:
            mistakes.append(
                f'concept.detector = "{self.detector}": expected one of {", ".join(DETECTORS)}'
            )
        _between(mistakes, "concept.reference_losses", self.reference_losses, 30, 1_000_000)
        _between(mistakes, "concept.tolerance", self.tolerance, 0, 1)
        try:
            parse_budget(self.false_alarms, "losses")
        except ConfigError as error:
            mistakes += [f"concept.{mistake}" for mistake in error.mistakes]
        if mistakes:
            raise ConfigError(mistakes)

    @property
    def budget(self) -> float:
        """False alarms per loss."""
        return parse_budget(self.false_alarms, "losses")


@dataclass(frozen=True, slots=True)
class TriggerConfig:
    """When signals turn into action.

    Parameters
    ----------
    halt_fraction
        Share of a pane in error above which learning pauses.
    hysteresis
        A state is left only below this share of the threshold that led into it.
    calm_panes
        Panes in a row that must be below it.
    unlabelled
        A shift of the predictions alone is only news where more than this share of the newest
        events have no label yet.
    loss_worse
        Share of the concept threshold from which on the loss counts as worse.
    cooldown_panes
        Shortest cooldown after a retraining, in panes.
    max_per_day
        Retrainings asked for within 24 hours, at most.
    """

    halt_fraction: float = 0.05
    hysteresis: float = 0.7
    calm_panes: int = 3
    unlabelled: float = 0.5
    loss_worse: float = 0.5
    cooldown_panes: int = 4
    max_per_day: int = 4

    def __post_init__(self) -> None:
        mistakes: list[str] = []
        _between(mistakes, "trigger.halt_fraction", self.halt_fraction, 0, 1)
        _between(mistakes, "trigger.hysteresis", self.hysteresis, 0, 1)
        _between(mistakes, "trigger.calm_panes", self.calm_panes, 1, 1000)
        _between(mistakes, "trigger.unlabelled", self.unlabelled, 0, 1)
        _between(mistakes, "trigger.loss_worse", self.loss_worse, 0.01, 1)
        _between(mistakes, "trigger.cooldown_panes", self.cooldown_panes, 0, 10_000)
        _between(mistakes, "trigger.max_per_day", self.max_per_day, 0, 10_000)
        if mistakes:
            raise ConfigError(mistakes)


@dataclass(frozen=True, slots=True)
class MonitorConfig:
    """Everything that can be configured about a monitor.

    Parameters
    ----------
    panes, skew, concept, trigger
        The parts.
    warmup_events
        A monitor without a reference makes one of its first events; this many.

    Examples
    --------
    >>> MonitorConfig().skew.spans
    (1, 4, 16)
    >>> MonitorConfig(panes=PaneConfig(events=1))
    Traceback (most recent call last):
        ...
    monitor.errors.ConfigError: panes.events = 1: expected 10 to 1e+07
    """

    panes: PaneConfig = field(default_factory=PaneConfig)
    skew: SkewConfig = field(default_factory=SkewConfig)
    concept: ConceptConfig = field(default_factory=ConceptConfig)
    trigger: TriggerConfig = field(default_factory=TriggerConfig)
    warmup_events: int = 10_000

    def __post_init__(self) -> None:
        mistakes: list[str] = []
        _between(mistakes, "warmup_events", self.warmup_events, 100, 1_000_000)
        if self.panes.keep < self.skew.spans[-1]:
            mistakes.append(
                f"panes.keep = {self.panes.keep}: expected at least the longest span, "
                f"{self.skew.spans[-1]}"
            )
        if mistakes:
            raise ConfigError(mistakes)
