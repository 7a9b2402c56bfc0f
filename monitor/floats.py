"""Floats out of Python objects, and the certainty that they are floats, many at a time.

To ask each object for its type and then for its value costs more than all else that is done with
it. MessagePack writes a float as a byte 0xcb and eight more, whatever its value, and nothing else
begins with that byte. So where what msgspec wrote has that byte wherever a float must begin, each
object was a float, and the eight bytes behind it are its value. (MessagePack specification,
https://github.com/msgpack/msgpack/blob/master/spec.md, "float format family".)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from monitor.arrays import BoolArray, FloatArray

_TAG = 0xCB
_WIDTH = 9
_ENCODER = msgspec.msgpack.Encoder()
_REFUSED = (TypeError, ValueError, OverflowError, RecursionError)
_ITEM = np.dtype({"names": ["tag", "value"], "formats": ["u1", ">f8"], "offsets": [0, 1]})


def floats(columns: Sequence[Sequence[Any]]) -> FloatArray | None:
    """Read columns of floats.

    Parameters
    ----------
    columns
        Lists or tuples of the same length.

    Returns
    -------
    array or None
        Shape (columns, rows); None where a value is anything but a float, be it an int.

    Examples
    --------
    >>> floats([[1.0, 2.0], [3.0, 4.0]]).tolist(), floats([[1.0, True]])
    ([[1.0, 2.0], [3.0, 4.0]], None)
    """
    count, rows = len(columns), len(columns[0]) if columns else 0
    if not rows or type(columns[0][0]) is not float:
        return None
    try:
        data = _ENCODER.encode(columns)
    except _REFUSED:
        return None
    head = _head(count)
    record = _head(rows) + rows * _WIDTH
    if len(data) != head + count * record:
        return None
    written = np.frombuffer(data, np.uint8, offset=head).reshape(count, record)
    items = written[:, _head(rows) :].reshape(-1).view(_ITEM)
    if (items["tag"] != _TAG).any():
        return None
    return items["value"].astype(np.float64).reshape(count, rows)


def floats_of_rows(events: Sequence[Mapping[str, Any]], names: Sequence[str]) -> FloatArray | None:
    """Read rows that have the same fields in the same order, each of them a float.

    Parameters
    ----------
    events
        A batch of mappings.
    names
        The fields that they must have.

    Returns
    -------
    array or None
        Shape (names, rows); None where any row has another field, order or type, which says
        nothing about what is wrong with it.

    Examples
    --------
    >>> floats_of_rows([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}], ["b", "a"]).tolist()
    [[2.0, 4.0], [1.0, 3.0]]
    >>> floats_of_rows([{"a": 1.0}, {"a": 3}], ["a"]) is None
    True
    """
    if not events or len(events[0]) != len(names) or type(events[0]) is not dict:
        return None
    first = events[0]
    if not all(type(first.get(name)) is float for name in names):
        return None
    form = _form(tuple(first))
    try:
        data = _ENCODER.encode(events)
        model = _ENCODER.encode(first)
    except _REFUSED:
        return None
    head = _head(len(events))
    if len(data) != head + len(events) * len(model) or len(model) != form.size:
        return None
    written = np.frombuffer(data, np.uint8, offset=head).reshape(len(events), form.size)
    # Row for row the same: as the first is of the form, the second begins where it should, ...
    differing = np.bitwise_or.reduce(written ^ np.frombuffer(model, np.uint8), axis=0)
    if differing[form.fixed].any():
        return None
    fields = np.frombuffer(data, form.values, offset=head)
    result = np.empty((len(names), len(events)))
    for at, name in enumerate(names):
        result[at] = fields[form.fields[name]]
    return result


@dataclass(frozen=True, slots=True)
class _Form:
    """How a row of floats is written: bytes, those that are no values, and where the values are."""

    size: int
    fixed: BoolArray
    values: np.dtype[Any]
    fields: Mapping[str, str]


@lru_cache(maxsize=64)
def _form(names: tuple[str, ...]) -> _Form:
    at = 1 if len(names) < 16 else 3
    offsets = []
    for name in names:
        at += len(_ENCODER.encode(name)) + 1
        offsets.append(at)
        at += _WIDTH - 1
    fixed = np.ones(at, dtype=np.bool_)
    for offset in offsets:
        fixed[offset : offset + 8] = False
    # NumPy takes no empty name.
    fields = {name: f"field {number}" for number, name in enumerate(names)}
    values = np.dtype(
        {"names": list(fields.values()), "formats": [">f8"] * len(names), "offsets": offsets,
         "itemsize": at}
    )  # fmt: skip
    return _Form(at, fixed, values, fields)


def _head(length: int) -> int:
    """Give the bytes of an array's header."""
    return 1 if length < 16 else 3 if length < 1 << 16 else 5
