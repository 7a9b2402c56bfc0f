"""What a checkpoint holds of models per key: the store writes it and knows no more of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec


class KeyRow(msgspec.Struct, frozen=True):
    """The model of one key as a checkpoint has it.

    Parameters
    ----------
    key
        Whose it is.
    number
        Of the checkpoint that it changed with.
    learned
        Labels that it has learned from.
    turn
        When it learned last, counted in what models of all keys have learned.
    mark
        Digest of what it predicts, in 63 bits; see ``stream.keys.key_models``.
    data
        The model, pickled; None where only the rest is known.
    """

    key: str
    number: int
    learned: int
    turn: int
    mark: int
    data: bytes | None = None


class KeyWrite(msgspec.Struct, frozen=True):
    """What a checkpoint does to the models of keys.

    Parameters
    ----------
    rows
        Models that changed since the last checkpoint; their number is not known yet.
    gone
        Keys that are forgotten.
    """

    rows: Sequence[KeyRow]
    gone: Sequence[str]


class KeySum(msgspec.Struct, frozen=True):
    """All keys of a checkpoint in short, by which a row that is missing is noticed.

    Parameters
    ----------
    keys
        How many there are.
    marks
        The sum of their marks, modulo 2 ** 63.
    """

    keys: int
    marks: int


MODULUS = 1 << 63
"""Of sums of marks."""

LoadKeys = Callable[[Mapping[str, int]], Mapping[str, bytes]]
"""By key and number of a row: the pickled models, out of what was committed."""


def sum_of(rows: Sequence[KeyRow]) -> KeySum:
    """Return what the rows of all keys come to.

    Examples
    --------
    >>> sum_of([KeyRow("a", 1, 3, 3, 40), KeyRow("b", 1, 1, 4, 2)])
    KeySum(keys=2, marks=42)
    """
    return KeySum(len(rows), sum(row.mark for row in rows) % MODULUS)
