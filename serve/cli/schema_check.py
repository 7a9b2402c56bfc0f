"""A file checked against a schema: anomalies by kind and feature, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from monitor.anomalies import Anomaly, event_severity, pane_anomalies
from monitor.config import PaneConfig
from monitor.counting import CheckedBatch, batch_cells, check_batch, pane_of, sketch_bits
from monitor.layout import Layout
from monitor.panes import Pane
from monitor.schema import Schema, Severity
from serve.cli.drift_choice import Choice
from serve.cli.drift_survey import kept_words, no_rows
from serve.cli.progress import progress_bar
from serve.tabular.kinds import Kinds, as_list
from serve.tabular.table import Batch, Table

FOUND_MAX = 1_000
"""Different pairs of kind and feature that are told apart."""

_OTHERS = "(others)"
_PANE_LEAST = 100


@dataclass(slots=True)
class Found:
    """One kind of anomaly in one feature.

    Parameters
    ----------
    kind, feature, severity
        As in `Anomaly`.
    scope
        Whether events or panes are counted.
    count
        How many.
    first, last
        Their places in the file; of a pane, that of its first event.
    example
        The first of them.
    """

    kind: str
    feature: str
    severity: Severity
    scope: Literal["events", "panes"]
    count: int
    first: int
    last: int
    example: Anomaly


@dataclass(slots=True)
class CheckResult:
    """What the check of a file found.

    Parameters
    ----------
    name, unit
        The file, and what its places are: lines or rows.
    types
        Of the features that the schema declares.
    rows, errors
        Events, and those with an error.
    panes
        Panes that were checked as a whole.
    found
        By kind, feature and scope.
    """

    name: str
    unit: str
    types: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    errors: int = 0
    panes: int = 0
    found: dict[tuple[str, str, str], Found] = field(default_factory=dict)

    @property
    def severity(self) -> Severity | None:
        """The worst; None for a clean file."""
        levels = {each.severity for each in self.found.values()}
        return "error" if "error" in levels else "warning" if levels else None

    def note(
        self, anomaly: Anomaly, scope: Literal["events", "panes"], first: int, last: int, count: int
    ) -> None:
        """Count an anomaly."""
        feature = anomaly.feature
        if (anomaly.kind, feature, scope) not in self.found and len(self.found) >= FOUND_MAX:
            feature = _OTHERS
        key = anomaly.kind, feature, scope
        if key not in self.found:
            self.found[key] = Found(
                anomaly.kind, feature, anomaly.severity, scope, 0, first, last, anomaly
            )
        each = self.found[key]
        each.count += count
        # Anomalies come column by column, not row by row.
        if first < each.first:
            each.first, each.example = first, anomaly
        each.last = max(each.last, last)
        if anomaly.severity == "error":
            each.severity = "error"


def check_file(path: Path, schema: Schema) -> CheckResult:
    """Check a file.

    Parameters
    ----------
    path
        The file.
    schema
        What its events may hold. Panes of 1,000 events are checked as a whole too, but for their
        volume, which a file does not tell.

    Returns
    -------
    CheckResult
        What was found.

    Raises
    ------
    InputError
        When it cannot be read, or has no row.
    """
    with Table(path) as table, progress_bar(f"checking {path.name}", table.size) as show:
        declared = {feature.name: feature.type for feature in schema.features}
        kinds = Kinds(declared, table.is_text, kept_words(Choice(schema=schema)))
        result = CheckResult(str(path), table.unit, declared)
        for batch in table.batches():
            result.rows = batch.start + batch.rows
            if batch.events is not None:
                checked = check_batch(batch.events, schema)
            else:
                # Of arrays, examples would be shown as NumPy writes its numbers.
                columns = kinds.read(batch, schema.names)
                checked = check_batch({n: as_list(v) for n, v in columns.items()}, schema)
                checked = _at_least(checked, batch, schema)
                _note_columns(result, batch, schema, checked)
            result.errors += int(np.count_nonzero(checked.errors))
            _note_events(result, checked, batch)
            _note_panes(result, checked, batch, schema)
            show(table.position, f"{result.rows:,} rows")
        for name in table.refused:
            if result.rows and name not in schema.known:
                anomaly = _unexpected(name, schema, f"a {table.refused[name][6:]}")
                if anomaly is not None:
                    result.note(anomaly, "events", 1, result.rows, result.rows)
    if not result.rows:
        raise no_rows(table)
    return result


def _at_least(checked: CheckedBatch, batch: Batch, schema: Schema) -> CheckedBatch:
    """Check empty events where a file has none of the columns, and so no rows to count."""
    if checked.rows or not batch.rows:
        return checked
    return check_batch([{}] * batch.rows, schema)


def _note_events(result: CheckResult, checked: CheckedBatch, batch: Batch) -> None:
    for row, anomalies in checked.anomalies.items():
        place = batch.places[row]
        for anomaly in anomalies:
            result.note(anomaly, "events", place, place, 1)


def _note_columns(result: CheckResult, batch: Batch, schema: Schema, checked: CheckedBatch) -> None:
    """Note the columns that the schema does not know: each of the rows has them."""
    for name in batch.columns:
        if name in schema.known:
            continue
        anomaly = _unexpected(name, schema, "a column")
        if anomaly is not None:
            result.note(anomaly, "events", batch.places[0], batch.places[-1], batch.rows)
            checked.errors |= anomaly.severity == "error"


def _unexpected(name: str, schema: Schema, found: str) -> Anomaly | None:
    severity = event_severity(schema, "unexpected_feature")
    if severity == "ignore":
        return None
    return Anomaly("unexpected_feature", name, severity, found, "no such field")


def _note_panes(result: CheckResult, checked: CheckedBatch, batch: Batch, schema: Schema) -> None:
    for pane in _panes(checked, batch, schema):
        result.panes += 1
        for anomaly in pane_anomalies(pane, schema):
            if anomaly.kind != "volume":
                place = int(pane.first)
                result.note(anomaly, "panes", place, place, 1)


def _panes(checked: CheckedBatch, batch: Batch, schema: Schema) -> Iterator[Pane]:
    """Cut a batch into panes; one that is too short to judge by is left out."""
    layout, events = Layout(()), PaneConfig().events
    cells = batch_cells(layout, checked, {})
    places = np.array(batch.places, dtype=np.float64)
    sketches: Mapping[str, np.ndarray[tuple[int], np.dtype[np.int64]]] = sketch_bits(
        checked, schema
    )
    for start in range(0, batch.rows, events):
        stretch = slice(start, min(start + events, batch.rows))
        if stretch.stop - start >= _PANE_LEAST:
            yield pane_of(layout, checked, cells, places, stretch, sketches)
