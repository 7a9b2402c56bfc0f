"""Inference of a schema from a sample of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monitor.columns import Columns, Rows, extract
from monitor.schema import Feature, FeatureType, Schema

_TYPES: dict[type, FeatureType] = {int: "int", float: "float", bool: "bool", str: "string"}
_CATEGORY_LENGTH_MAX = 256
_BOUND_MAX = 1e300


def infer_schema(
    sample: Rows | Columns,
    *,
    ignored: Sequence[str] = (),
    categories_max: int = 100,
    panes: int = 10,
) -> Schema:
    """Infer a schema from a sample; people then edit it.

    Bounds are taken from the sample and marked as inferred, so that they warn only. A feature is
    required when the whole sample has it. A string feature gets a domain when it has at most
    `categories_max` categories and hardly any of them is rare. The missing rate above which a
    pane warns is the mean plus three standard deviations over `panes` equal parts of the sample,
    as NannyML sets it.

    Parameters
    ----------
    sample
        Rows (a sequence of mappings) or columns (a mapping of names to sequences).
    ignored
        Fields that are known and not watched, such as the id.
    categories_max
        Largest domain.
    panes
        Parts for the missing rate.

    Returns
    -------
    Schema
        Features in the order in which they first appear. Names that are not valid Unicode are
        left out, and are unexpected ever after.

    Examples
    --------
    >>> schema = infer_schema([{"x": 1, "y": 0.5}, {"x": 3, "y": None}])
    >>> [(f.name, f.type, f.required, f.maximum) for f in schema.features]
    [('x', 'int', True, 3), ('y', 'float', False, 0.5)]
    """
    columns = sample if isinstance(sample, Mapping) else as_columns(sample)
    return Schema(
        features=tuple(
            infer_feature(name, values, categories_max, panes)
            for name, values in columns.items()
            if name not in ignored and _is_unicode(name)
        ),
        ignored=tuple(ignored),
    )


def as_columns(sample: Rows | Columns, names: Sequence[str] | None = None) -> dict[str, list[Any]]:
    """Give a sample as columns, whichever way it came.

    Parameters
    ----------
    sample
        Rows or columns.
    names
        The columns to take; default all, in the order in which they first appear.

    Returns
    -------
    dict
        A list for each name; a name that the sample does not have is all None.

    Examples
    --------
    >>> as_columns([{"a": 1}, {"b": 2}])
    {'a': [1, None], 'b': [None, 2]}
    """
    if not isinstance(sample, Mapping):
        wanted = names if names is not None else list(dict.fromkeys(k for r in sample for k in r))
        return extract(sample, list(wanted))
    rows = max((len(values) for values in sample.values()), default=0)
    return {
        name: _as_list(sample[name]) if name in sample else [None] * rows
        for name in (names if names is not None else sample)
    }


def _as_list(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def infer_feature(
    name: str,
    values: Sequence[Any] | np.ndarray[Any, Any],
    categories_max: int = 100,
    panes: int = 10,
) -> Feature:
    """Infer the declaration of one column.

    Parameters
    ----------
    name
        Its name.
    values
        JSON values, or an array, in which NaN is missing.
    categories_max, panes
        As for `infer_schema`.

    Returns
    -------
    Feature
        The commonest type among the values; what differs from it will show as an anomaly.

    Examples
    --------
    >>> infer_feature("c", ["a", "b"] * 500).domain
    ('a', 'b')
    """
    minimum = maximum = None
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        kind: FeatureType = "float" if values.dtype.kind == "f" else "int"
        values = np.ascontiguousarray(values)
        missing = np.isnan(values)
        finite = values
        if missing.any() or not np.isfinite([values.min(initial=0), values.max(initial=0)]).all():
            finite = values[np.isfinite(values)]
        minimum, maximum = (
            (finite.min().item(), finite.max().item()) if len(finite) else (None, None)
        )
        usable: list[Any] = []
    else:
        plain = list(values)
        missing = np.fromiter((value is None for value in plain), np.bool_, len(plain))
        present = [value for value in plain if value is not None]
        kind = _infer_type(present)
        usable = [value for value in present if _TYPES.get(type(value)) in _accepted(kind)]
        if kind in ("int", "float"):
            finite_values = [value for value in usable if -_BOUND_MAX < value < _BOUND_MAX]
            minimum, maximum = min(finite_values, default=None), max(finite_values, default=None)
    return Feature(
        name=name,
        type=kind,
        required=not missing.any() and kind != "any",
        minimum=minimum,
        maximum=maximum,
        bounds_inferred=minimum is not None,
        domain=_infer_domain(usable, categories_max) if kind == "string" else None,
        max_missing=_missing_rate_max(missing, panes),
    )


def _infer_type(present: list[Any]) -> FeatureType:
    seen = Counter(_TYPES.get(kind) for kind in map(type, present))
    if not seen:
        return "any"
    if seen["int"] and seen["float"]:
        seen["float"] += seen.pop("int")
    return seen.most_common(1)[0][0] or "any"


def _accepted(kind: FeatureType) -> tuple[FeatureType, ...]:
    return ("int", "float") if kind == "float" else (kind,)


def _infer_domain(present: list[str], categories_max: int) -> tuple[str, ...] | None:
    counts = Counter(present)
    if not counts or len(counts) > categories_max:
        return None
    # The share of singletons estimates the mass that the sample has not seen (Good, 1953).
    once = sum(count == 1 for count in counts.values())
    if once > 0.01 * len(present):
        return None
    if any(len(name) > _CATEGORY_LENGTH_MAX or not _is_unicode(name) for name in counts):
        return None
    return tuple(sorted(counts))


def _missing_rate_max(missing: np.ndarray[Any, Any], panes: int) -> float | None:
    if len(missing) < panes or missing.all():
        return None
    if not missing.any():
        return 0.0
    rates = np.array([part.mean() for part in np.array_split(missing, panes)])
    return min(1.0, round(float(rates.mean() + 3 * rates.std(ddof=1)), 6))


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
