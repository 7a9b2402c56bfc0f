"""Labels: what a JSON value means as one, by task."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from stream.records import Record
from stream.sections import Task

Label = bool | int | float | str

LABELLED_BY = "riverrun-labelled-by"
"""Header of a label's record: who gave the label, where that is known."""

_BY_MAX = 200

_BOOLEANS: dict[object, bool] = {
    True: True,
    False: False,
    "true": True,
    "false": False,
    "1": True,
    "0": False,
}


_SCALARS = (bool, int, float, str)  # "bool | int" makes a new type each time it is reached
_INT64 = 1 << 63  # checkpoints hold integers of 64 bits


class LabelReader:
    """Turns a JSON value into a label of the task.

    Parameters
    ----------
    task
        ``binary``, ``multiclass``, ``regression`` or ``anomaly``.
    classes
        The labels that may come. For ``binary`` and ``anomaly`` the negative and the positive one;
        without them true, false, 1 and 0 are read.

    Examples
    --------
    >>> read = LabelReader("binary", ["DOWN", "UP"])
    >>> read("UP"), read("DOWN"), read("SIDEWAYS")
    (True, False, None)
    >>> LabelReader("regression", None)(3)
    3.0
    """

    def __init__(self, task: Task, classes: Sequence[str | int] | None) -> None:
        self._task = task
        self._classes = None if classes is None else set(classes)
        self._booleans = dict(_BOOLEANS)
        if task in ("binary", "anomaly") and classes is not None:
            self._booleans = {classes[0]: False, classes[1]: True}

    @property
    def expected(self) -> str:
        """What a label may be, for a message."""
        if self._task == "regression":
            return "a finite number is expected"
        if self._task in ("binary", "anomaly"):
            return "one of " + ", ".join(map(repr, self._booleans)) + " is expected"
        if self._classes is not None:
            return f"one of model.classes {sorted(map(str, self._classes))} is expected"
        return "text, an integer or a boolean is expected"

    def __call__(self, value: object) -> Label | None:
        """Return the label, or None where the value is none."""
        if self._task in ("binary", "anomaly"):
            return self._booleans.get(value) if isinstance(value, _SCALARS) else None
        if self._task == "regression":
            return _number(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, (str, int)) or value == "":
            return None
        if isinstance(value, int) and not -_INT64 <= value < _INT64:
            return None
        return value if self._classes is None or value in self._classes else None


def labelled_by(record: Record) -> str | None:
    """Return who gave the label of a record; None where its headers do not say.

    Examples
    --------
    >>> labelled_by(Record("t", 0, 0, 0, None, b"{}", ((LABELLED_BY, b"anna"),)))
    'anna'
    """
    found = record.header(LABELLED_BY) if record.headers else None
    if not found:
        return None
    said = found[: 4 * _BY_MAX].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in said).strip()[:_BY_MAX] or None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None
