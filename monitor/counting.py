"""One batch of events, checked and turned into cells, from which any stretch becomes a pane."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isnan
from typing import Any

import numpy as np

from monitor.anomalies import Anomaly, event_severity, shorten
from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.bins import Bins
from monitor.cells import BatchCells
from monitor.columns import (
    CODES,
    MISSING,
    OK,
    WRONG_TYPE,
    Column,
    Columns,
    Rows,
    check,
    check_rows,
    extract,
    row_count,
    unexpected,
)
from monitor.layout import Layout, Role
from monitor.panes import SKETCH_BITS, Pane
from monitor.schema import Feature, Schema
from monitor.verdicts import anomaly_of

UNEXPECTED_SHOWN_MAX = 8


@dataclass(slots=True)
class CheckedBatch:
    """A batch after the schema's checks.

    Parameters
    ----------
    rows
        Number of events.
    columns
        By name, the checked values.
    errors
        Shape (rows,): whether the event has an error.
    anomalies
        By row, what is wrong with the event; warnings too.
    marks
        Shape (rows,) for each (kind, feature) that occurs: where it does.
    """

    rows: int
    columns: dict[str, Column]
    errors: BoolArray
    anomalies: dict[int, list[Anomaly]] = field(default_factory=dict)
    marks: dict[tuple[str, str], BoolArray] = field(default_factory=dict)


def check_batch(events: Rows | Columns, schema: Schema) -> CheckedBatch:
    """Check every event of a batch against a schema.

    Parameters
    ----------
    events
        Rows (a sequence of mappings), or columns (a mapping of names to sequences or arrays).
    schema
        What was declared.

    Returns
    -------
    CheckedBatch
        Bad data of any kind is described in it; none is raised.

    Examples
    --------
    >>> schema = Schema((Feature("x", "float", minimum=0.0),))
    >>> batch = check_batch([{"x": 1.0}, {"x": -1.0}, {"y": 1}], schema)
    >>> batch.errors.tolist()
    [False, True, True]
    >>> [str(anomaly) for anomaly in batch.anomalies[2]]
    ['missing_feature in "x": found None, expected float', \
'unexpected_feature in "y": found 1, expected no such field']
    """
    raw: Mapping[str, Any]
    clean = None if isinstance(events, Mapping) else check_rows(events, schema.features)
    if clean is not None and not isinstance(events, Mapping):
        batch = CheckedBatch(len(events), clean, np.zeros(len(events), dtype=np.bool_))
        for feature in schema.features:
            _note(batch, partial(_value, events, feature.name), feature, schema)
        return batch
    if isinstance(events, Mapping):
        rows = row_count(events)
        nothing = [None] * rows
        raw = {name: events.get(name, nothing) for name in schema.names}
    else:
        rows, raw = len(events), extract(events, schema.names)
    batch = CheckedBatch(rows, {}, np.zeros(rows, dtype=np.bool_))
    for feature in schema.features:
        values = raw[feature.name]
        column = batch.columns[feature.name] = check(values, feature)
        _note(batch, values.__getitem__, feature, schema)
        if column.coerced:
            batch.marks["coerced", feature.name] = _coerced_rows(column, values)
    _note_unexpected(batch, events, schema)
    return batch


def _coerced_rows(column: Column, values: Sequence[Any]) -> BoolArray:
    """Mark the usable rows whose type is not that of the value that was taken."""
    kinds = (int, float) if isinstance(column.values, np.ndarray) else None
    good = np.ones(len(values), np.bool_) if column.codes is None else column.codes == OK
    changed = [
        type(was) not in kinds if kinds else type(was) is not type(now)
        for was, now in zip(values, column.values, strict=True)
    ]
    return np.asarray(good & np.array(changed, dtype=np.bool_))


def _value(events: Rows, name: str, row: int) -> Any:
    return events[row][name]


def _note(
    batch: CheckedBatch, value_of: Callable[[int], Any], feature: Feature, schema: Schema
) -> None:
    """Note what is wrong with a feature, whose value in each row is asked for where needed."""
    codes = batch.columns[feature.name].codes
    if codes is None:
        return
    for code in np.flatnonzero(np.bincount(codes)).tolist():
        if code == OK:
            continue
        where = codes == code
        batch.marks[CODES[code], feature.name] = where
        if code == MISSING and not feature.required:
            continue
        for row in np.flatnonzero(where).tolist():
            anomaly = anomaly_of(code, value_of(row), feature, schema)
            if anomaly is None:
                break
            batch.anomalies.setdefault(row, []).append(anomaly)
            if anomaly.severity == "error":
                batch.errors[row] = True


def _note_unexpected(batch: CheckedBatch, events: Rows | Columns, schema: Schema) -> None:
    severity = event_severity(schema, "unexpected_feature")
    if isinstance(events, Mapping):
        names = [str(name) for name in events if name not in schema.known]
        found = dict.fromkeys(range(batch.rows), names) if names else {}
    else:
        found = unexpected(events, schema)
    if not found or severity == "ignore":
        return
    where = np.zeros(batch.rows, dtype=np.bool_)
    where[list(found)] = True
    # Unknown names are unbounded, so that they are counted together.
    batch.marks["unexpected_feature", ""] = where
    batch.errors |= where & (severity == "error")
    for row, names in found.items():
        noted = batch.anomalies.setdefault(row, [])
        for name in names[:UNEXPECTED_SHOWN_MAX]:
            value = events[row].get(name) if not isinstance(events, Mapping) else events[name][row]
            noted.append(
                Anomaly("unexpected_feature", shorten(name)[1:-1], severity, shorten(value),
                        "no such field")
            )  # fmt: skip


def columns_of(
    layout: Layout, batch: CheckedBatch, extra: Mapping[tuple[Role, str], Column]
) -> Iterator[tuple[int, Column]]:
    """Find the values of each column of a layout that is to be counted.

    Parameters
    ----------
    layout
        The bins.
    batch
        The checked events.
    extra
        Columns of other roles, such as the prediction.

    Yields
    ------
    tuple
        The column's position, and its values. A feature that the schema does not have any more
        is missing throughout, one whose type was changed is unusable; a role without values is
        left out.
    """
    for at, column in enumerate(layout.columns):
        values = extra.get((column.role, column.name))
        if column.role == "feature":
            values = batch.columns.get(column.name)
            if values is None:
                values = Column([None] * batch.rows, np.full(batch.rows, MISSING, np.uint8))
        if values is None:
            continue
        yield at, usable(values, column.bins)


def usable(column: Column, bins: Bins) -> Column:
    """Give a column in the form that bins take.

    Parameters
    ----------
    column
        Checked values.
    bins
        Made from the same feature, perhaps when it had another type.

    Returns
    -------
    Column
        The same; or one in which nothing is usable, where the type has changed.
    """
    numeric = isinstance(column.values, np.ndarray)
    if numeric == (bins.kind == "numeric") or bins.kind == "presence":
        return column
    rows = len(column.values)
    codes = np.full(rows, WRONG_TYPE, np.uint8)
    if column.codes is not None:
        codes[column.codes == MISSING] = MISSING
    return Column([None] * rows if numeric else np.full(rows, np.nan), codes)


def batch_cells(
    layout: Layout, batch: CheckedBatch, extra: Mapping[tuple[Role, str], Column]
) -> BatchCells:
    """Give the cells of all columns of a batch.

    Parameters
    ----------
    layout, batch, extra
        As for `columns_of`.

    Returns
    -------
    BatchCells
        From which any stretch of the batch is counted.
    """
    return BatchCells(layout, columns_of(layout, batch, extra))


def pane_of(
    layout: Layout,
    batch: CheckedBatch,
    cells: BatchCells,
    times: FloatArray,
    stretch: slice,
    sketches: Mapping[str, IntArray],
) -> Pane:
    """Count a stretch of a batch.

    Parameters
    ----------
    layout
        The bins.
    batch, cells
        The checked events, and their cells.
    times
        Event times in seconds, shape (rows,).
    stretch
        The rows to count.
    sketches
        Hashes of the features whose distinct values are estimated; see `sketch_bits`.

    Returns
    -------
    Pane
        Of these rows alone.
    """
    some = times[stretch]
    tallies = {}
    for key, where in batch.marks.items():
        count = int(np.count_nonzero(where[stretch]))
        if count:
            tallies[key] = count
    return Pane(
        layout=layout.fingerprint,
        events=len(some),
        errors=int(np.count_nonzero(batch.errors[stretch])),
        first=float(some.min()),
        last=float(some.max()),
        counts=cells.counts(stretch),
        tallies=tallies,
        sketches={name: _bit_set(bits[stretch]) for name, bits in sketches.items()},
    )


def sketch_bits(batch: CheckedBatch, schema: Schema) -> dict[str, IntArray]:
    """Hash the values of the features whose distinct values are counted.

    Parameters
    ----------
    batch
        The checked events.
    schema
        Says which features these are.

    Returns
    -------
    dict
        By name, a bit's position for each row, -1 without a value; the same on every machine.
    """
    found = {}
    for feature in schema.features:
        if feature.max_cardinality is not None:
            values = batch.columns[feature.name].values
            found[feature.name] = np.fromiter(
                (-1 if v is None or (isinstance(v, float) and isnan(v))
                 else zlib.crc32(str(v).encode("utf-8", "replace")) % SKETCH_BITS
                 for v in (values.tolist() if isinstance(values, np.ndarray) else values)),
                np.int64, batch.rows,
            )  # fmt: skip
    return found


def _bit_set(positions: IntArray) -> int:
    bits = np.zeros(SKETCH_BITS, dtype=np.uint8)
    bits[positions[positions >= 0]] = 1
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")
