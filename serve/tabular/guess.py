"""Guessing what the columns of a sample are: id, time, label, features, and the task.

Every guess is said, so that a person can correct it in the file that ``init`` writes.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serve.tabular.columns import Column
from stream.errors import InputError
from stream.events import parse_time

_ID_WORDS = ("id", "key", "uuid", "guid")
_TIME_WORDS = ("timestamp", "time", "ts", "datetime", "date", "at")
_LABEL_WORDS = ("label", "target", "class", "y", "outcome")
_POSITIVE = frozenset({"yes", "y", "true", "t", "up", "pos", "positive", "spam", "fraud", "late"})

_EPOCH_MS = (100_000_000_000, 253_402_300_800_000)
"""March 1973 to the year 10000: smaller integers are more likely something else, or seconds."""

_MAX_INT_CLASSES = 20
_MAX_TEXT_CLASSES = 100
_FEW_CATEGORIES = 20
_MOST_CATEGORIES = 500
_CATEGORY_SHARE = 0.05
_SMALL_SAMPLE = 5


@dataclass(slots=True)
class Guess:
    """What a sample seems to be.

    Parameters
    ----------
    id, time, label
        Columns; None where there is none.
    task
        ``binary``, ``multiclass`` or ``regression``.
    classes
        For a binary task whose labels are not true, false, 1 or 0: negative and positive.
    features
        Type by column.
    skipped
        Columns that are left out, and why.
    notes
        What was assumed, in sentences.
    """

    label: str
    task: str = ""
    id: str | None = None
    time: str | None = None
    classes: list[str | int] | None = None
    features: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def guess(
    columns: list[Column],
    *,
    name: str,
    now: int,
    label: str | None = None,
    task: str | None = None,
) -> Guess:
    """Guess the columns of a sample.

    Parameters
    ----------
    columns
        As ``read_columns`` returns them.
    name
        Of the file, for messages.
    now
        Milliseconds since the epoch; a later column of times cannot be the events'.
    label, task
        What the caller knows.

    Raises
    ------
    InputError
        When there is no such label, or nothing to learn from.
    """
    time = _find_time(columns, label, now)
    key = _find_id(columns, (label, time))
    target = _find_label(columns, (key, time), label, name)
    found = Guess(target.name, id=key, time=time)
    _note_roles(found, label)
    _guess_task(found, target, task, name)
    for column in columns:
        if column.name not in (key, time, target.name):
            _guess_feature(found, column)
    if not found.features:
        reasons = "; ".join(f"{each!r} {why}" for each, why in found.skipped.items()) or "none left"
        raise InputError(f"{name}: no column can be a feature ({reasons})")
    return found


def _find_time(columns: list[Column], label: str | None, now: int) -> str | None:
    names = [c.name for c in columns if c.name != label and _holds_times(c, now)]
    return min(names, key=lambda each: _rank(each, _TIME_WORDS), default=None)


def _holds_times(column: Column, now: int) -> bool:
    if column.missing or column.kind not in ("int", "str"):
        return False
    latest = 0
    for value in column.values:
        if isinstance(value, int) and not _EPOCH_MS[0] <= value < _EPOCH_MS[1]:
            return False
        moment = parse_time(value)
        if moment is None:
            return False
        latest = max(latest, moment)
    return latest <= now


def _find_id(columns: list[Column], taken: tuple[str | None, ...]) -> str | None:
    for column in columns:
        if column.name in taken or column.missing or column.kind not in ("int", "str", "mixed"):
            continue
        named = _rank(column.name, _ID_WORDS) < len(_ID_WORDS)
        if named and len({str(value) for value in column.values}) == column.rows:
            return column.name
    return None


def _find_label(
    columns: list[Column], taken: tuple[str | None, ...], wanted: str | None, name: str
) -> Column:
    by_name = {column.name: column for column in columns}
    if wanted is not None:
        if wanted not in by_name:
            close = difflib.get_close_matches(wanted, by_name, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(by_name)}"
            raise InputError(f"{name}: there is no column {wanted!r} for --label; {hint}")
        found = by_name[wanted]
    else:
        left = [column for column in columns if column.name not in taken]
        if len(left) < 2:
            raise InputError(
                f"{name}: a label and one feature at least are needed beside id and time"
            )
        # Of those without a telling name, the last one.
        found = min(reversed(left), key=lambda column: _rank(column.name, _LABEL_WORDS))
    if not found.values:
        raise InputError(f"{name}: the label {found.name!r} is missing in all of the sample")
    return found


def _rank(name: str, words: tuple[str, ...]) -> int:
    """Return how telling a name is: the place of the word that it is or ends in."""
    lowered = name.casefold()
    for place, word in enumerate(words):
        if lowered == word or lowered.endswith((f"_{word}", f"-{word}", f" {word}", f".{word}")):
            return place
        if len(word) > 1 and name.endswith(word.capitalize()):
            return place
    return len(words)


def _note_roles(found: Guess, label: str | None) -> None:
    if found.id is None:
        found.notes.append("no column is an id: each event's place on the log is its id")
    else:
        found.notes.append(f"{found.id!r} is the id: it differs in every row")
    if found.time is None:
        found.notes.append("no column is the event time: it is when the event was appended")
    else:
        found.notes.append(f"{found.time!r} is the event time (UTC where it names no zone)")
    if label is None:
        found.notes.append(f"{found.label!r} is the label; say --label NAME for another")


def _guess_task(found: Guess, target: Column, task: str | None, name: str) -> None:
    count, kind = len(target.distinct), target.kind
    if task is None:
        task = _usual_task(target, count, name)
    if task == "regression" and kind not in ("int", "float"):
        raise InputError(f"{name}: --task regression needs numbers in {target.name!r}")
    if task == "binary" and (count > 2 or any(_has_fraction(value) for value in target.values)):
        raise InputError(
            f"{name}: --task binary needs two classes; {target.name!r} has {_count(count)} ({kind})"
        )
    found.task = task
    found.notes.append(f"the task is {task}: {target.name!r} has {_count(count)} ({kind})")
    if count == 1:
        found.notes.append("only one label stands in the sample; check model.task")
    if task == "binary" and kind != "bool" and not _is_binary_number(target):
        found.classes = _order_classes(target)
        found.notes.append(f"{found.classes[1]!r} is the positive class, by its name or rarity")


def _usual_task(target: Column, count: int, name: str) -> str:
    kind = target.kind
    if kind == "bool" or _is_binary_number(target):
        return "binary"
    if kind == "float" or (kind == "int" and count > _MAX_INT_CLASSES):
        return "regression"
    if count > _MAX_TEXT_CLASSES:
        raise InputError(
            f"{name}: the label {target.name!r} has {count:,} different values of text; name "
            "another column with --label"
        )
    return "binary" if count == 2 else "multiclass"


def _has_fraction(value: object) -> bool:
    return isinstance(value, float) and not value.is_integer()


def _is_binary_number(column: Column) -> bool:
    return column.kind in ("int", "float") and set(column.values) <= {0, 1}


def _order_classes(target: Column) -> list[str | int]:
    """Return the negative and the positive class."""
    counts: Counter[Any] = Counter(target.values)
    if len(counts) < 2:
        only = next(iter(counts))
        return [f"not {only}", only]
    first, second = sorted(counts, key=lambda value: (-counts[value], str(value)))
    if target.kind in ("int", "float"):
        return [int(value) for value in sorted(counts)]
    positive = [value for value in counts if str(value).casefold() in _POSITIVE]
    if len(positive) == 1:
        return [next(value for value in counts if value != positive[0]), positive[0]]
    return [first, second]


def _guess_feature(found: Guess, column: Column) -> None:
    kind = column.kind
    if kind == "empty":
        found.skipped[column.name] = "is always missing"
    elif kind in ("int", "float"):
        # A later value may well have a fraction; an integer is a float too.
        found.features[column.name] = "float"
    elif kind == "bool":
        found.features[column.name] = "bool"
    elif kind == "mixed":
        found.skipped[column.name] = "holds values of several types"
    elif (why := _too_many(column)) is not None:
        found.skipped[column.name] = why
    else:
        found.features[column.name] = "str"


def _too_many(column: Column) -> str | None:
    count, filled = len({str(value) for value in column.values}), len(column.values)
    if count <= _FEW_CATEGORIES and (count < filled or filled < _SMALL_SAMPLE):
        return None
    if count <= min(_MOST_CATEGORIES, _CATEGORY_SHARE * filled):
        return None
    return f"is text with {_count(count)} in {filled:,} rows"


def _count(count: int) -> str:
    return f"{count:,} different value{'' if count == 1 else 's'}"


def default_name(path: Path) -> str:
    """Return a stream's name from a file's: letters, digits, dots and hyphens.

    Examples
    --------
    >>> default_name(Path("My orders (2024).csv.gz")), default_name(Path("-.jsonl"))
    ('My-orders-2024', 'events')
    """
    stem = path.name.removesuffix(".gz")
    stem = stem.rpartition(".")[0] or stem
    parts = "".join(c if c.isascii() and (c.isalnum() or c in "._") else " " for c in stem).split()
    return "-".join(parts).strip("._-")[:64] or "events"
