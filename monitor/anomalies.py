"""Schema skew as values: the table of kinds, and the checks of a whole pane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.panes import Pane
    from monitor.schema import Feature, Schema, Severity


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table of anomalies.

    Parameters
    ----------
    name
        The name used everywhere.
    tfdv
        What TensorFlow Data Validation calls it: its anomaly types, to look it up by.
    event
        Default severity in one event; None where the kind is of panes only.
    pane
        Default severity in a pane; None where the kind is of events only.
    rule
        When it holds.
    """

    name: str
    tfdv: tuple[str, ...]
    event: Severity | None
    pane: Severity | None
    rule: str


_LOW_PRESENCE = ("FEATURE_TYPE_LOW_FRACTION_PRESENT",)
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("missing_feature", (*_LOW_PRESENCE, "SCHEMA_MISSING_COLUMN"), "error", "error",
             "required and absent or null; present in fewer than min_fraction of a pane"),
        Kind("unexpected_feature", ("SCHEMA_NEW_COLUMN",), "warning", None,
             "a field that the schema does not know"),
        Kind("wrong_type", ("UNEXPECTED_DATA_TYPE",), "error", None,
             "not of the declared type"),
        Kind("not_finite", ("FLOAT_TYPE_HAS_NAN", "FLOAT_TYPE_HAS_INF"), "error", None,
             "NaN or infinity"),
        Kind("out_of_range", ("FLOAT_TYPE_BIG_FLOAT", "FLOAT_TYPE_SMALL_FLOAT",
                              "INT_TYPE_BIG_INT", "INT_TYPE_SMALL_INT"), "error", None,
             "outside the bounds; bounds that were only inferred warn"),
        Kind("out_of_domain", ("ENUM_TYPE_UNEXPECTED_STRING_VALUES",), "warning", "error",
             "a category outside the domain; too much of a pane outside it"),
        Kind("missing_rate", _LOW_PRESENCE, None, "warning",
             "share of nulls in a pane above max_missing"),
        Kind("cardinality", ("FEATURE_TYPE_HIGH_UNIQUE",), None, "warning",
             "distinct values in a pane above max_cardinality"),
        Kind("volume", ("DATASET_LOW_NUM_EXAMPLES", "DATASET_HIGH_NUM_EXAMPLES"), None, "warning",
             "events in a pane outside min_events and max_events"),
    )
}  # fmt: skip
"""Every kind of schema skew by name."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something wrong with one event, or with one pane.

    Parameters
    ----------
    kind
        A name in `KINDS`.
    feature
        The feature or field; empty for the pane as a whole.
    severity
        `error` or `warning`.
    found
        What was found, shortened.
    expected
        What was expected.

    Examples
    --------
    >>> print(Anomaly("out_of_range", "age", "error", "-3", "0 to 130"))
    out_of_range in "age": found -3, expected 0 to 130
    """

    kind: str
    feature: str
    severity: Severity
    found: str
    expected: str

    def __str__(self) -> str:
        where = f' in "{self.feature}"' if self.feature else ""
        return f"{self.kind}{where}: found {self.found}, expected {self.expected}"


def event_severity(schema: Schema, kind: str, *, inferred: bool = False) -> Severity:
    """Give the severity of a kind in one event.

    Parameters
    ----------
    schema
        Its `severity` overrides the defaults.
    kind
        A name in `KINDS`.
    inferred
        Whether the rule rests on bounds that were only inferred.

    Returns
    -------
    Severity
        `error`, `warning` or `ignore`.

    Examples
    --------
    >>> from monitor.schema import Schema
    >>> event_severity(Schema(()), "out_of_range", inferred=True)
    'warning'
    """
    if kind in schema.severity:
        return schema.severity[kind]
    return "warning" if inferred else KINDS[kind].event or "ignore"


def shorten(value: object, limit: int = 60) -> str:
    """Show an untrusted value in few characters.

    Parameters
    ----------
    value
        Anything.
    limit
        Characters at most.

    Returns
    -------
    str
        Its `repr`, cut; of what is nested or huge only the size.

    Examples
    --------
    >>> shorten("x" * 100, 10)
    "'xxxxxx..."
    """
    # The cost must not grow with what a sender chose to send.
    if isinstance(value, list | dict):
        text = f"{type(value).__name__} of {len(value)}"
    elif isinstance(value, int) and value.bit_length() > 256:
        text = f"int of {value.bit_length()} bits"
    else:
        text = repr(value[:limit] if isinstance(value, str | bytes) else value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def pane_anomalies(pane: Pane, schema: Schema) -> tuple[Anomaly, ...]:
    """Check a closed pane against the schema.

    Parameters
    ----------
    pane
        Counts of a stretch of events.
    schema
        What was declared.

    Returns
    -------
    tuple of Anomaly
        In the order of the schema; empty for an empty pane without a declared volume.

    Examples
    --------
    >>> from monitor.panes import Pane
    >>> from monitor.schema import Schema
    >>> [a.kind for a in pane_anomalies(Pane(events=3), Schema((), min_events=10))]
    ['volume']
    """
    found: list[Anomaly] = []

    def add(kind: str, feature: str, is_found: str, expected: str) -> None:
        severity = schema.severity.get(kind, KINDS[kind].pane or "ignore")
        if severity != "ignore":
            found.append(Anomaly(kind, feature, severity, is_found, expected))

    if not _in_volume(pane, schema):
        high = "any" if schema.max_events is None else schema.max_events
        add("volume", "", f"{pane.events} events", f"{schema.min_events or 0} to {high} events")
    if not pane.events:
        return tuple(found)
    for feature in schema.features:
        for kind, is_found, expected in _of_feature(pane, feature):
            add(kind, feature.name, is_found, expected)
    return tuple(found)


def _of_feature(pane: Pane, feature: Feature) -> Iterator[tuple[str, str, str]]:
    """Give kind, what was found and what was expected of whatever is wrong with a feature."""
    absent = pane.tally("missing", feature.name)
    missing, present = absent / pane.events, pane.events - absent
    if 1.0 - missing < feature.min_fraction:
        yield (
            "missing_feature", f"{1 - missing:.1%} present", f"at least {feature.min_fraction:.1%}"
        )  # fmt: skip
    if feature.max_missing is not None and missing > feature.max_missing:
        yield "missing_rate", f"{missing:.1%} missing", f"at most {feature.max_missing:.1%}"
    off_domain = pane.tally("out_of_domain", feature.name)
    if off_domain > (1.0 - feature.min_domain_mass) * present:
        outside = f"{off_domain / present:.1%} outside the domain"
        yield "out_of_domain", outside, f"at most {1 - feature.min_domain_mass:.1%}"
    limit = feature.max_cardinality
    if limit is not None and pane.distinct(feature.name) > limit:
        found = f"about {pane.distinct(feature.name):.0f} distinct values"
        yield "cardinality", found, f"at most {limit}"


def _in_volume(pane: Pane, schema: Schema) -> bool:
    low = schema.min_events or 0
    return low <= pane.events and (schema.max_events is None or pane.events <= schema.max_events)
