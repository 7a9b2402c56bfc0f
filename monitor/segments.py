"""Segments: the label of each event's cell, so that there are never too many of them."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.columns import Columns, Rows, check
from monitor.counting import usable
from monitor.infer import as_columns
from monitor.layout import Layout
from monitor.schema import Schema


def segments_of(
    events: Rows | Columns, features: Sequence[str], schema: Schema, layout: Layout
) -> dict[str, list[str]]:
    """Give the segment of each event in each of some features.

    Parameters
    ----------
    events
        Rows or columns.
    features
        Names; those that the layout or the schema does not have are left out.
    schema, layout
        What the events are checked against, and how their values are binned.

    Returns
    -------
    dict
        By feature, a label for each row, as `score_batch` takes them: a category, a range, or
        `missing`, `(other)`, `(unseen)`, `unusable`.

    Examples
    --------
    >>> from monitor.bins import CategoricalBins
    >>> from monitor.layout import ColumnLayout
    >>> from monitor.schema import Feature
    >>> layout = Layout((ColumnLayout("c", "feature", CategoricalBins(("a", "b"))),))
    >>> schema = Schema((Feature("c", "string"),))
    >>> segments_of([{"c": "b"}, {"c": "z"}, {}], ["c"], schema, layout)
    {'c': ['b', '(unseen)', 'missing']}
    """
    known = [
        name for name in features if name in schema.by_name and ("feature", name) in layout.index
    ]
    values = as_columns(events, known)
    found = {}
    for name in known:
        bins = layout.columns[layout.index["feature", name]].bins
        column = check(values[name], schema.by_name[name])
        cells = bins.cells(usable(column, bins)).tolist()
        labels = {cell: bins.label(cell) for cell in set(cells)}
        found[name] = [labels[cell] for cell in cells]
    return found
