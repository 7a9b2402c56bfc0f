"""What the columns of a file hold, and their cells as values of that kind, a column at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from math import isfinite, isnan
from typing import Any, Literal

import numpy as np

from serve.tabular.cells import cell_parser, parse_cell
from serve.tabular.table import Batch, Values

Kind = Literal["int", "float", "bool", "string", "any"]

_MOSTLY = 0.95
_ZERO_LED = re.compile(r",[+-]?0[0-9]")
_MISSING = frozenset(
    "".join(letters)
    for word in ("na", "n/a", "nan", "null", "none")
    for letters in product(*((letter, letter.upper()) for letter in word))
) | {""}
_INFINITE = {"inf", "infinity", "+inf", "+infinity", "-inf", "-infinity"}
_TYPES: dict[type, Kind] = {int: "int", float: "float", bool: "bool", str: "string"}


def kind_of(values: Values, is_text: bool) -> Kind:
    """Tell what a column holds.

    Parameters
    ----------
    values
        Some of it.
    is_text
        Whether these are cells of a CSV file. Such a column is of numbers when at least 95 % of
        the cells that are not empty look like numbers, and else of strings.

    Returns
    -------
    Kind
        The commonest type; `any` where nothing is present.

    Examples
    --------
    >>> kind_of(["1", "2.5", ""], True), kind_of(["007", "8"], True), kind_of(["", "NA"], True)
    ('float', 'string', 'any')
    """
    if isinstance(values, np.ndarray):
        number: Kind = "int" if values.dtype.kind in "iu" else "float"
        return number if number == "int" or not np.isnan(values).all() else "any"
    if not is_text:
        seen = Counter(_TYPES.get(kind) for kind in map(type, values))
        del seen[None]
        if seen["int"] and seen["float"]:
            seen["float"] += seen.pop("int")
        return (seen.most_common(1)[0][0] if +seen else None) or "any"
    numbers = _floats(values)
    if isinstance(numbers, np.ndarray) and not np.isnan(numbers).all():
        return "float" if any("." in t or "e" in t or "E" in t for t in values) else "int"
    looks: Counter[Kind] = Counter()
    for text, count in Counter(values).items():
        if text not in _MISSING:
            looks[_look(text)] += count
    total = looks.total()
    if not total:
        return "any"
    if looks["bool"] >= _MOSTLY * total:
        return "bool"
    if looks["int"] + looks["float"] >= _MOSTLY * total:
        return "float" if looks["float"] else "int"
    return "string"


def _look(text: str) -> Kind:
    return "float" if text.lower() in _INFINITE else _TYPES.get(type(parse_cell(text)), "any")


def read_cells(cells: Sequence[str], kind: Kind, keep: Collection[str] = ()) -> Values:
    """Read the cells of a CSV column.

    Parameters
    ----------
    cells
        Texts. Empty ones, and ``NA``, ``NaN``, ``null`` and the like, are missing.
    kind
        What the column holds. A cell that does not fit stays a text.
    keep
        Strings that are values although they look missing, such as ``NA`` for Namibia.

    Returns
    -------
    list or array
        In an array NaN is missing, in a list None.

    Examples
    --------
    >>> read_cells(["1", "", "x"], "float"), read_cells(["true", "1"], "bool")
    ([1.0, None, 'x'], [True, True])
    """
    if kind == "float":
        return _floats(cells)
    if kind == "int":
        return _ints(_floats(cells))
    missing = _MISSING.difference(keep)
    if kind == "bool":
        parse = cell_parser("bool")
        read = {text: _parsed_bool(text, parse) for text in set(cells)}
        return [read[text] for text in cells]
    if missing.isdisjoint(cells):
        return list(cells)
    return [None if text in missing else text for text in cells]


def _parsed_bool(text: str, parse: Any) -> Any:
    try:
        return parse(text)
    except ValueError:
        return text


def _floats(cells: Sequence[str]) -> Values:
    numbers = _plain_floats(cells)
    if numbers is not None:
        return numbers
    present = [text for text in cells if text not in _MISSING]
    numbers = _plain_floats(present) if len(present) < len(cells) else None
    if numbers is None:
        return [_number(text) for text in cells]
    filled = np.full(len(cells), np.nan)
    filled[np.fromiter((text not in _MISSING for text in cells), np.bool_, len(cells))] = numbers
    return filled


def _plain_floats(cells: Sequence[str]) -> np.ndarray[Any, Any] | None:
    """Read cells that all are finite numbers; None where one is not.

    Python also takes 1_000, infinities and digits of other scripts, which are no numbers here.
    """
    together = "," + ",".join(cells)
    if not together.isascii() or "_" in together or "n" in together or "N" in together:
        return None
    if _ZERO_LED.search(together):
        return None
    try:
        numbers = np.array(list(map(float, cells)), dtype=np.float64)
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _number(text: str) -> Any:
    value = parse_cell(text)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if text.lower() in _INFINITE:
        return float(text)
    return None if value is None else text


def _ints(numbers: Values) -> Values:
    if isinstance(numbers, np.ndarray):
        if (np.abs(numbers) < 2.0**63).all() and (numbers == np.floor(numbers)).all():
            return numbers.astype(np.int64)
        numbers = as_list(numbers)
    return [
        int(n) if isinstance(n, float) and isfinite(n) and n.is_integer() else n for n in numbers
    ]


def as_list(values: Values) -> list[Any]:
    """Give values as a list; what NaN stands for in an array of floats, None stands for in it.

    Examples
    --------
    >>> as_list(np.array([1.0, np.nan]))
    [1.0, None]
    """
    if not isinstance(values, np.ndarray):
        return values
    plain: list[Any] = values.tolist()
    if values.dtype.kind != "f":
        return plain
    return [None if isnan(n) else n for n in plain]


def joined(pieces: Sequence[Values]) -> Values:
    """Put the pieces of a column together.

    Parameters
    ----------
    pieces
        In order, one at least.

    Returns
    -------
    list or array
        An array where all of them are.

    Examples
    --------
    >>> joined([np.array([1.0, np.nan]), ["x"]])
    [1.0, None, 'x']
    """
    arrays = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    if len(arrays) == len(pieces):
        return np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    return [value for piece in pieces for value in as_list(piece)]


class Kinds:
    """Reads batches, and knows what each column holds by the first batch that has values of it.

    Parameters
    ----------
    declared
        What is known, by column. Where a column is not in it, it is found out.
    is_text
        As in `Table`.
    keep
        As in `read_cells`, by column.
    """

    def __init__(
        self,
        declared: Mapping[str, Kind],
        is_text: bool,
        keep: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.found: dict[str, Kind] = dict(declared)
        self._declared = frozenset(declared)
        self._is_text = is_text
        self._keep = keep or {}

    def read(self, batch: Batch, names: Collection[str]) -> dict[str, Values]:
        """Read some columns of a batch.

        Parameters
        ----------
        batch
            The next one.
        names
            Those to read; a column that the batch does not have is left out.

        Returns
        -------
        dict
            Values by column.
        """
        return {name: self._read(name, batch.columns[name]) for name in names
                if name in batch.columns}  # fmt: skip

    def _read(self, name: str, values: Values) -> Values:
        kind = self.found.get(name, "any")
        if kind == "any" and name not in self._declared:
            kind = self.found[name] = kind_of(values, self._is_text)
        if self._is_text and not isinstance(values, np.ndarray):
            return read_cells(values, kind, self._keep.get(name, ()))
        return values
