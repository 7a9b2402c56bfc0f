"""The schema: which features an event has, and what each may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from monitor.errors import SchemaError

FeatureType = Literal["int", "float", "bool", "string", "any"]
TYPES: tuple[FeatureType, ...] = ("int", "float", "bool", "string", "any")
Severity = Literal["error", "warning", "ignore"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "ignore")


@dataclass(frozen=True, slots=True)
class Feature:
    """What one feature of an event may hold.

    Parameters
    ----------
    name
        The key in the event.
    type
        `int`, `float` (takes ints too), `bool`, `string`, or `any`: only presence is watched.
    required
        An event without a value for it is in error. Absent and null are the same.
    minimum, maximum
        Bounds of a numeric feature, both included; None is no bound.
    bounds_inferred
        The bounds come from a sample only: a value beyond them warns and is not an error.
    domain
        The categories of a string feature; None takes any string.
    min_domain_mass
        Share of a pane's values that must lie in the domain.
    min_fraction
        Share of a pane's events that must have a value.
    max_missing
        Share of a pane's events without a value above which it warns: the mean of the reference
        panes plus three standard deviations. None never warns.
    coerce
        A string that reads as the declared type, or a float without a fraction for an int, is
        taken as such and counted, instead of being a wrong type.
    max_cardinality
        Distinct values in a pane above which it warns; None never counts them.

    Raises
    ------
    SchemaError
        Parts that contradict each other, such as bounds on a string.

    Examples
    --------
    >>> Feature("distance", "float", minimum=0.0).required
    True
    """

    name: str
    type: FeatureType
    required: bool = True
    minimum: float | None = None
    maximum: float | None = None
    bounds_inferred: bool = False
    domain: tuple[str, ...] | None = None
    min_domain_mass: float = 0.99
    min_fraction: float = 0.0
    max_missing: float | None = None
    coerce: bool = False
    max_cardinality: int | None = None

    def __post_init__(self) -> None:
        if any("\ud800" <= char <= "\udfff" for char in self.name):
            raise SchemaError(ascii(self.name), "the name is not valid Unicode")
        if self.type not in TYPES:
            raise SchemaError(self.name, f"type {self.type!r}: expected one of {', '.join(TYPES)}")
        bounds = [bound for bound in (self.minimum, self.maximum) if bound is not None]
        if bounds and not self.numeric:
            raise SchemaError(self.name, f"minimum and maximum do not apply to type {self.type}")
        if not all(-1e308 < bound < 1e308 for bound in bounds) or bounds != sorted(bounds):
            raise SchemaError(
                self.name,
                f"minimum {self.minimum} and maximum {self.maximum}: expected finite, in order",
            )
        if self.domain is not None and self.type != "string":
            raise SchemaError(self.name, f"a domain does not apply to type {self.type}")
        for key in ("min_domain_mass", "min_fraction", "max_missing"):
            share = getattr(self, key)
            if share is not None and not 0.0 <= share <= 1.0:
                raise SchemaError(self.name, f"{key} {share}: expected 0 to 1")
        if self.max_cardinality is not None and self.max_cardinality < 1:
            raise SchemaError(self.name, f"max_cardinality {self.max_cardinality}: expected >= 1")

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers (a bool is a category)."""
        return self.type in ("int", "float")


@dataclass(frozen=True)
class Schema:
    """The features of a stream's events, in order.

    Parameters
    ----------
    features
        One entry a feature; names are unique.
    severity
        Severities by kind of anomaly that differ from the defaults; see `monitor.anomalies`.
    ignored
        Fields of an event that are known and not watched, such as its id.
    min_events, max_events
        Events in a pane outside of which it warns; None never warns.

    Raises
    ------
    SchemaError
        A name twice, or an unknown severity.

    Examples
    --------
    >>> Schema((Feature("a", "int"), Feature("b", "string"))).names
    ('a', 'b')
    """

    features: tuple[Feature, ...]
    severity: Mapping[str, Severity] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    min_events: int | None = None
    max_events: int | None = None

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for name in (*self.names, *self.ignored):
            if name in seen:
                raise SchemaError(name, "the name is there twice")
            seen.add(name)
        for kind, severity in self.severity.items():
            if severity not in SEVERITIES:
                raise SchemaError(
                    f"severity.{kind}", f"{severity!r}: expected one of {', '.join(SEVERITIES)}"
                )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def known(self) -> frozenset[str]:
        """Every field that is not unexpected in an event."""
        return frozenset(self.names) | frozenset(self.ignored)

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """The features by name."""
        return {feature.name: feature for feature in self.features}
