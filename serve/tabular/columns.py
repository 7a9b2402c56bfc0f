"""What the columns of a sample hold: types, distinct values, gaps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Literal

from serve.tabular.cells import Scalar, parse_cell
from serve.tabular.files import TableFile
from stream.errors import InputError

SAMPLE_ROWS = 10_000
"""Rows that are looked at."""

Kind = Literal["bool", "int", "float", "str", "mixed", "empty"]


@dataclass(slots=True)
class Column:
    """One column of a sample.

    Parameters
    ----------
    name
        Its name.
    values
        Its values that are not missing, in order.
    rows
        Rows of the sample, those where it is missing included.
    """

    name: str
    values: list[Scalar]
    rows: int

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self.rows - len(self.values)

    @property
    def distinct(self) -> set[tuple[type, Scalar]]:
        """Different values; 1, 1.0 and true are told apart."""
        return {(type(value), value) for value in self.values}

    @property
    def kind(self) -> Kind:
        """What the values are, all of them."""
        kinds = {type(value) for value in self.values}
        if not kinds:
            return "empty"
        if kinds == {bool}:
            return "bool"
        if kinds <= {int, float}:
            return "float" if float in kinds else "int"
        return "str" if kinds == {str} else "mixed"

    def as_text(self) -> Column:
        """Return the column with its values as text."""
        return Column(self.name, [str(value) for value in self.values], self.rows)


def read_columns(table: TableFile, rows: int = SAMPLE_ROWS) -> list[Column]:
    """Read the columns of a sample.

    Parameters
    ----------
    table
        A file that was just opened.
    rows
        How many rows to look at.

    Raises
    ------
    InputError
        When there is no row.
    """
    values: dict[str, list[Scalar]] = {name: [] for name in table.columns or []}
    count = 0
    for row in islice(table, rows):
        count += 1
        for name, cell in row.cells.items():
            value = parse_cell(cell) if table.is_csv else cell
            if value is not None:
                values.setdefault(name, []).append(value)
    if not count:
        found = "only the line of column names" if table.is_csv else "no rows"
        raise InputError(f"{table.name}: found {found}; a sample of events is needed")
    columns = [Column(name, column, count) for name, column in values.items()]
    # A CSV file has no types: a column that only looks like numbers at times is text.
    return [c.as_text() if table.is_csv and c.kind == "mixed" else c for c in columns]
