"""What the verdict on a value means for its event."""

from __future__ import annotations

from typing import Any

from monitor.anomalies import Anomaly, event_severity, shorten
from monitor.columns import CODES, MISSING, NOT_FINITE, OUT_OF_DOMAIN, OUT_OF_RANGE
from monitor.schema import Feature, Schema


def anomaly_of(code: int, value: Any, feature: Feature, schema: Schema) -> Anomaly | None:
    """Describe the verdict on one value.

    Parameters
    ----------
    code
        An index into `CODES`, not `OK`.
    value
        The value as it came.
    feature
        Its declaration.
    schema
        For the severities.

    Returns
    -------
    Anomaly or None
        None where the verdict is of no interest: a missing optional value, or an ignored kind.

    Examples
    --------
    >>> from monitor.columns import WRONG_TYPE
    >>> feature = Feature("a", "int")
    >>> print(anomaly_of(WRONG_TYPE, "x", feature, Schema((feature,))))
    wrong_type in "a": found 'x', expected int
    """
    if code == MISSING and not feature.required:
        return None
    kind = "missing_feature" if code == MISSING else CODES[code]
    severity = event_severity(
        schema, kind, inferred=code == OUT_OF_RANGE and feature.bounds_inferred
    )
    if severity == "ignore":
        return None
    return Anomaly(kind, feature.name, severity, shorten(value), _expected(code, feature))


def _expected(code: int, feature: Feature) -> str:
    if code == OUT_OF_RANGE:
        low = "-inf" if feature.minimum is None else f"{feature.minimum:g}"
        return f"{low} to {'inf' if feature.maximum is None else f'{feature.maximum:g}'}"
    if code == OUT_OF_DOMAIN:
        return f"one of {len(feature.domain or ())} categories"
    if code == NOT_FINITE:
        return "a finite number"
    return feature.type if feature.type != "any" else "a value"
