"""From a batch of events to checked columns, a whole column at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np

from monitor.arrays import CodeArray, FloatArray
from monitor.floats import floats, floats_of_rows
from monitor.schema import Feature, Schema

OK, MISSING, WRONG_TYPE, NOT_FINITE, OUT_OF_RANGE, OUT_OF_DOMAIN = range(6)
CODES = ("ok", "missing", "wrong_type", "not_finite", "out_of_range", "out_of_domain")
Rows = Sequence[Mapping[str, Any]]
Columns = Mapping[str, "Sequence[Any] | np.ndarray[Any, Any]"]
Values = list[Any] | FloatArray

_FLOATS = ({float}, {int}, {float, int})
_EXACT: dict[str, type] = {"int": int, "bool": bool, "string": str}
_READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
}


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one feature in a batch, with a verdict on each.

    Parameters
    ----------
    values
        Shape (rows,). Floats for a numeric feature, NaN where there is no usable value; else a
        list in which such places hold None.
    codes
        Shape (rows,), an index into `CODES` for each row; None where every row is fine.
    coerced
        How many values were taken in another type than they came in.
    """

    values: Values
    codes: CodeArray | None
    coerced: int = 0


def extract(events: Rows, names: Sequence[str]) -> dict[str, list[Any]]:
    """Turn rows into columns; absent values become None.

    Parameters
    ----------
    events
        A batch of mappings.
    names
        The keys to take.

    Returns
    -------
    dict
        A list of `len(events)` values for each name.

    Examples
    --------
    >>> extract([{"a": 1}, {"a": 2, "b": 3}], ["a", "b"])
    {'a': [1, 2], 'b': [None, 3]}
    """
    if len(names) > 1 and events:
        try:
            return dict(zip(names, map(list, zip(*map(itemgetter(*names), events), strict=True)),
                            strict=True))  # fmt: skip
        except KeyError:
            pass
    return {name: [event.get(name) for event in events] for name in names}


def check_rows(events: Rows, features: Sequence[Feature]) -> dict[str, Column] | None:
    """Check rows in which every field is a declared one and a float, all columns at once.

    Parameters
    ----------
    events
        A batch of mappings.
    features
        The declarations.

    Returns
    -------
    dict or None
        By name; None where the rows are not like that, so that each column is to be checked, and
        fields that nobody declared to be looked for.

    Examples
    --------
    >>> check_rows([{"a": 1.5}], [Feature("a", "float")])["a"].values.tolist()
    [1.5]
    """
    if not all(feature.type == "float" for feature in features):
        return None
    numbers = floats_of_rows(events, [feature.name for feature in features])
    if numbers is None:
        return None
    lows, highs = numbers.min(axis=1).tolist(), numbers.max(axis=1).tolist()
    return {
        feature.name: Column(values, None)
        if _within(low, high, feature)
        else _check_numbers(values, feature, None)
        for values, low, high, feature in zip(numbers, lows, highs, features, strict=True)
    }


def unexpected(events: Rows, schema: Schema) -> dict[int, list[str]]:
    """Find the fields that a schema does not know.

    Parameters
    ----------
    events
        A batch of mappings.
    schema
        What is known.

    Returns
    -------
    dict
        By row, the unknown names of it; rows without any are left out.

    Examples
    --------
    >>> unexpected([{"a": 1}, {"b": 1}], Schema((Feature("a", "int"),)))
    {1: ['b']}
    """
    if set().union(*events) <= schema.known:
        return {}
    known = schema.known
    found: dict[int, list[str]] = {}
    for row, event in enumerate(events):
        names = [str(name) for name in event if name not in known]
        if names:
            found[row] = names
    return found


def check(values: Sequence[Any] | np.ndarray[Any, Any], feature: Feature) -> Column:
    """Check a column against its declaration.

    Parameters
    ----------
    values
        Shape (rows,). A list of JSON values, or an array of numbers, bools or strings.
    feature
        The declaration.

    Returns
    -------
    Column
        Usable values and a verdict on each row. Never raises, whatever the values are.

    Examples
    --------
    >>> column = check([1.5, None, "x"], Feature("a", "float"))
    >>> [CODES[code] for code in column.codes]
    ['ok', 'missing', 'wrong_type']
    """
    if isinstance(values, np.ndarray):
        kind = values.dtype.kind
        if kind in "iu" and feature.numeric:
            return _check_numbers(values.astype(np.float64), feature, None)
        if kind == "f" and feature.type == "float":
            numbers, codes = np.ascontiguousarray(values, dtype=np.float64), None
            # An array of floats has no other way to say that a value is missing.
            if len(numbers) and np.isnan(numbers.min()):
                codes = np.isnan(numbers).astype(np.uint8) * np.uint8(MISSING)
            return _check_numbers(numbers, feature, codes)
        values = list(values.tolist())
    found = floats([values]) if feature.type == "float" else None
    if found is not None:
        return _check_numbers(found[0], feature, None)
    types = set(map(type, values))
    nulls = type(None) in types
    types.discard(type(None))
    exact = {_EXACT[feature.type]} if feature.type in _EXACT else None
    if types and (types in _FLOATS if feature.type == "float" else types == exact):
        codes = None
        if nulls:
            absent = np.fromiter((value is None for value in values), np.bool_, len(values))
            codes = absent.astype(np.uint8) * np.uint8(MISSING)
        if not feature.numeric:
            return _check_strings(list(values), feature, codes)
        try:
            return _check_numbers(np.array(values, dtype=np.float64), feature, codes)
        except OverflowError:
            pass
    return _check_slowly(values, feature)


def _check_slowly(values: Sequence[Any], feature: Feature) -> Column:
    codes = np.zeros(len(values), dtype=np.uint8)
    usable: list[Any] = []
    coerced = 0
    for row, value in enumerate(values):
        code, taken, changed = _read(value, feature)
        codes[row] = code
        coerced += changed
        usable.append(taken)
    if feature.numeric:
        return _check_numbers(np.array(usable, dtype=np.float64), feature, codes, coerced)
    return _check_strings(usable, feature, codes, coerced)


def _read(value: Any, feature: Feature) -> tuple[int, Any, bool]:
    """Give the verdict on one value, what to take for it, and whether that is a coercion."""
    if value is None:
        return MISSING, None, False
    wanted = feature.type
    if wanted == "any":
        return OK, True, False
    kind = type(value)
    if kind is _EXACT.get(wanted) or (wanted == "float" and kind in (int, float)):
        return _fits(value, feature)
    if kind is float and wanted == "int" and not math.isfinite(value):
        return NOT_FINITE, None, False
    if feature.coerce:
        taken = _coerce(value, feature)
        if taken is not None:
            code, taken, _ = _fits(taken, feature)
            return code, taken, code == OK
    return WRONG_TYPE, None, False


def _fits(value: Any, feature: Feature) -> tuple[int, Any, bool]:
    if not feature.numeric:
        return OK, value, False
    try:
        number = float(value)
    except OverflowError:
        return OUT_OF_RANGE, 1.7e308 if value > 0 else -1.7e308, False
    return (OK, number, False) if math.isfinite(number) else (NOT_FINITE, None, False)


def _coerce(value: Any, feature: Feature) -> Any:
    """Read a value as the declared type without loss; None where that is not possible."""
    if feature.type == "int" and type(value) is float and value.is_integer():
        return int(value)
    if feature.type == "string" and type(value) in (int, float, bool):
        return str(value).lower() if type(value) is bool else str(value)
    if type(value) is str and len(value) <= 64 and feature.type in _READERS:
        try:
            return _READERS[feature.type](value)
        except (ValueError, KeyError):
            return None
    return None


def _check_numbers(
    numbers: FloatArray, feature: Feature, codes: CodeArray | None, coerced: int = 0
) -> Column:
    if not len(numbers):
        return Column(numbers, None)
    low, high = float(numbers.min()), float(numbers.max())
    if codes is None and _within(low, high, feature):
        return Column(numbers, None)
    minimum = -math.inf if feature.minimum is None else feature.minimum
    maximum = math.inf if feature.maximum is None else feature.maximum
    with np.errstate(invalid="ignore"):
        beyond = (numbers < minimum) | (numbers > maximum)
    if codes is None and math.isfinite(low) and math.isfinite(high):
        return Column(numbers, beyond.astype(np.uint8) * np.uint8(OUT_OF_RANGE))
    if codes is None:
        codes = np.zeros(len(numbers), dtype=np.uint8)
    bad = ~np.isfinite(numbers) & (codes == OK)
    codes[beyond & (codes == OK)] = OUT_OF_RANGE
    codes[bad] = NOT_FINITE
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    return Column(numbers, codes if codes.any() else None, coerced)


def _within(low: float, high: float, feature: Feature) -> bool:
    """Say whether numbers between these are finite and within the bounds."""
    return (
        -math.inf < low
        and high < math.inf
        and (feature.minimum is None or low >= feature.minimum)
        and (feature.maximum is None or high <= feature.maximum)
    )


def _check_strings(
    values: list[Any], feature: Feature, codes: CodeArray | None, coerced: int = 0
) -> Column:
    if feature.domain is not None:
        off = set(values).difference(feature.domain, (None,))
        if off:
            if codes is None:
                codes = np.zeros(len(values), dtype=np.uint8)
            outside = np.fromiter((value in off for value in values), np.bool_, len(values))
            codes[outside & (codes == OK)] = OUT_OF_DOMAIN
    return Column(values, codes if codes is not None and codes.any() else None, coerced)


def row_count(events: Rows | Columns) -> int:
    """Count the rows of a batch, whichever way it came.

    Parameters
    ----------
    events
        Rows or columns.

    Returns
    -------
    int
        The length of the longest column.

    Examples
    --------
    >>> row_count([{}, {}]), row_count({"a": [1, 2, 3]})
    (2, 3)
    """
    if isinstance(events, Mapping):
        return max((len(values) for values in events.values()), default=0)
    return len(events)


def as_rows(events: Rows | Columns) -> list[Mapping[str, Any]]:
    """Give a batch as rows, whichever way it came.

    Parameters
    ----------
    events
        Rows, or columns of equal length.

    Returns
    -------
    list of mapping
        One a row.

    Examples
    --------
    >>> as_rows({"a": [1, 2]})
    [{'a': 1}, {'a': 2}]
    """
    if not isinstance(events, Mapping):
        return list(events)
    plain = [v.tolist() if isinstance(v, np.ndarray) else v for v in events.values()]
    return [dict(zip(events, values, strict=True)) for values in zip(*plain, strict=True)]
