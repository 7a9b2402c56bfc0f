"""Comparing two files: from their paths to a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from monitor.config import SkewConfig
from monitor.layout import ColumnLayout, Layout
from monitor.panes import Pane
from monitor.reference import Reference
from monitor.skew import SkewTest
from serve.cli.drift_choice import Choice, some
from serve.cli.drift_counting import CountedColumn, CountedFile, count_current, count_reference
from serve.cli.drift_result import DriftResult, Extra, describe
from serve.cli.drift_survey import survey
from serve.tabular.sample import CELLS_MAX
from stream.errors import InputError

_MIXED = 0.05
_NEW_MAX = 100


def compare_files(
    reference: Path,
    current: Path,
    choice: Choice,
    config: SkewConfig,
    *,
    cells_max: int = CELLS_MAX,
) -> DriftResult:
    """Compare two files, as one span.

    Parameters
    ----------
    reference, current
        The files. The current one is read once and never held as a whole.
    choice
        The columns.
    config
        Budget and floors; a comparison counts as one pane.
    cells_max
        Cells of the reference that are held in memory.

    Returns
    -------
    DriftResult
        A result for each column of the reference that is not left out.

    Raises
    ------
    InputError
        A file cannot be used, or there is no column to compare.
    """
    found = survey(reference, choice, cells_max=cells_max)
    before = count_reference(found, choice, config)
    after = count_current(current, before, choice)
    left_out = dict(found.left_out)
    choice.refuse_unknown({*before.names, *after.names}, "neither file")
    if before.columns and not any(column.present for column in after.columns.values()):
        raise InputError(
            f"{reference} and {current} have no columns in common that can be compared: "
            f"{some(before.columns)}; and {some(after.names) or 'none'}"
        )
    for name, column in list(before.columns.items()):
        if name not in choice.columns and column.trail.goes_on_in(after.columns[name].trail):
            left_out[name] = "rises all the time, as a clock or a counter does"
            del before.columns[name], after.columns[name]
    if not before.columns:
        raise InputError(f"{reference}: no column is left to compare{_reasons(left_out)}")
    layout = Layout(
        tuple(ColumnLayout(n, "feature", column.bins) for n, column in before.columns.items())
    )
    known, pane = Reference(layout, _pane(layout, before), ()), _pane(layout, after)
    report = SkewTest(known, config, spans=(0,), pane_events=pane.events).report({0: pane})
    extras = {name: _extra(before.columns[name], after.columns[name]) for name in before.columns}
    return DriftResult(
        (before.path.name, before.rows),
        (after.path.name, after.rows),
        describe(report, known, pane, extras),
        report,
        left_out,
        _notes(before, after, choice, found.sample.stride),
    )


def _pane(layout: Layout, file: CountedFile) -> Pane:
    counts = np.concatenate([file.columns[column.name].counts for column in layout.columns])
    return Pane(layout.fingerprint, events=file.rows, counts=counts)


def _extra(before: CountedColumn, after: CountedColumn) -> Extra:
    if before.names_cut:
        return Extra(gone=not after.present)
    new = [(n, count) for n, count in after.names.most_common() if n not in before.names]
    return Extra(gone=not after.present, new_categories=tuple(new[:_NEW_MAX]))


def _notes(before: CountedFile, after: CountedFile, choice: Choice, stride: int) -> list[str]:
    notes = []
    added = [n for n in after.names if n not in before.names and choice.why_not(n) is None]
    if added:
        notes.append(f"only in {after.path.name}, so not compared: {some(added)}")
    if stride > 1:
        notes.append(
            f"{before.path.name} is large: bins were fitted to one row in {stride}; all rows count"
        )
    for name, column in before.columns.items():
        share = column.counts[-1] / max(int(column.counts.sum()), 1)
        if share > _MIXED:
            notes.append(
                f"{share:.0%} of {name} in {before.path.name} are not of type "
                f"{column.feature.type}, and were not compared"
            )
        if column.names_cut:
            notes.append(f"{name} has so many categories that new ones cannot be named")
    return notes


def _reasons(left_out: dict[str, str]) -> str:
    if not left_out:
        return ""
    return f" ({some(f'{name}: {why}' for name, why in left_out.items())}); name some in --columns"
