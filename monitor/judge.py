"""One event at a time, judged as a batch would judge it, in a fraction of the time."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from monitor.anomalies import Anomaly
from monitor.counting import check_batch
from monitor.schema import Feature, Schema

_EXACT: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "string": (str,),
}


class EventJudge:
    """Says what is wrong with single events.

    Most events are fine, and to say so takes a few comparisons; only an event that may not be is
    given to ``check_batch``, which alone says what is wrong.

    Parameters
    ----------
    schema
        What events must be.

    Examples
    --------
    >>> judge = EventJudge(Schema((Feature("x", "float", minimum=0.0),)))
    >>> judge.anomalies({"x": 1.0})
    ()
    >>> [str(anomaly) for anomaly in judge.anomalies({"x": -1.0})]
    ['out_of_range in "x": found -1.0, expected 0 to inf']
    """

    __slots__ = ("_ignored", "_rules", "schema")

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._ignored = schema.ignored
        self._rules = [_rule(feature) for feature in schema.features]

    def anomalies(self, event: Mapping[str, Any]) -> tuple[Anomaly, ...]:
        """Return what is wrong with an event, warnings too, in the order of the schema.

        Parameters
        ----------
        event
            Its features, of any values.
        """
        if self.is_clean(event):
            return ()
        return tuple(check_batch([event], self.schema).anomalies.get(0, ()))

    def is_clean(self, event: Mapping[str, Any]) -> bool:
        """Return True only where ``check_batch`` finds nothing; False where it may."""
        known = 0
        for name, types, low, high, domain, optional in self._rules:
            value = event.get(name)
            if value is None:
                if not optional:
                    return False
                known += name in event
                continue
            known += 1
            if types is None:
                continue
            if type(value) not in types:
                return False
            if domain is not None:
                if value not in domain:
                    return False
            elif low is not None and not low <= value <= high:
                return False
        for name in self._ignored:
            known += name in event
        return known == len(event)


Rule = tuple[str, tuple[type, ...] | None, float | None, float, frozenset[str] | None, bool]
"""Name, exact types (None: any), bounds (None: not a number), domain, whether it may be absent."""

_LARGEST = 1.7e308  # ints beyond a double are check_batch's to judge


def _rule(feature: Feature) -> Rule:
    low = high = None
    if feature.numeric:
        low = max(-_LARGEST, -inf if feature.minimum is None else feature.minimum)
        high = min(_LARGEST, inf if feature.maximum is None else feature.maximum)
    domain = None if feature.domain is None else frozenset(feature.domain)
    types = _EXACT.get(feature.type)
    return feature.name, types, low, high or 0.0, domain, not feature.required
