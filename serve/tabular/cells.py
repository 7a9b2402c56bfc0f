"""Cells of a CSV file: what type a text stands for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

Scalar = str | int | float | bool | None

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
# A zero in front makes a name of a number: 007, 01069.
_INT = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_BOOLEANS = {"true": True, "false": False}
_DECLARED_BOOLEANS = _BOOLEANS | {"1": True, "0": False, "yes": True, "no": False}


def parse_cell(text: str) -> Scalar:
    """Return the value that a cell stands for, by its look.

    Integers, floats and true or false are recognised; ``NA``, ``NaN``, ``null`` and the like are
    missing, as is an empty cell; the rest is text.

    Examples
    --------
    >>> [parse_cell(text) for text in ("7", "7.0", "1e3", "007", "True", "NA", "", "1_000")]
    [7, 7.0, 1000.0, '007', True, None, None, '1_000']
    """
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and not _starts_with_zeros(text):
        number = float(text)
        return number if math.isfinite(number) else text
    lowered = text.lower()
    if lowered in _MISSING:
        return None
    return _BOOLEANS.get(lowered, text)


def cell_parser(declared: str | None) -> Callable[[str], Scalar]:
    """Return what reads the cells of a column.

    Parameters
    ----------
    declared
        ``int``, ``float``, ``bool`` or ``str``, as in ``[event.types]``; None reads by the look.

    Returns
    -------
    Callable
        Raises ValueError, with what was expected, where a cell does not fit.

    Examples
    --------
    >>> cell_parser("str")("12"), cell_parser("float")("12"), cell_parser("bool")("0")
    ('12', 12.0, False)
    """
    return _parse_as[declared]


def _as_text(text: str) -> Scalar:
    return text or None


def _as_float(text: str) -> Scalar:
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    if text.lower() in _MISSING:
        return None
    raise ValueError("a number is expected")


def _as_int(text: str) -> Scalar:
    if text.lower() in _MISSING:
        return None
    try:
        number = _as_float(text)
    except ValueError:
        number = None
    if not isinstance(number, float) or not number.is_integer():
        raise ValueError("an integer is expected")
    return int(text) if _INT.fullmatch(text) else int(number)


def _as_bool(text: str) -> Scalar:
    lowered = text.lower()
    if lowered in _DECLARED_BOOLEANS:
        return _DECLARED_BOOLEANS[lowered]
    if lowered in _MISSING:
        return None
    raise ValueError("true or false is expected")


def _starts_with_zeros(text: str) -> bool:
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()


_parse_as: dict[str | None, Callable[[str], Scalar]] = {
    None: parse_cell,
    "str": _as_text,
    "float": _as_float,
    "int": _as_int,
    "bool": _as_bool,
}
