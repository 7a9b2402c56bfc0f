"""Rows at hand: making a reference of them, and comparing them with one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monitor.bins import Bins, fit_bins
from monitor.columns import Column, Columns, Rows, check
from monitor.config import MonitorConfig
from monitor.counting import batch_cells, check_batch
from monitor.infer import infer_feature
from monitor.layout import ColumnLayout, Layout, Role
from monitor.panes import Pane
from monitor.reference import Reference
from monitor.report import SkewReport
from monitor.schema import Feature, FeatureType, Schema
from monitor.skew import SkewTest

Values = Sequence[Any] | np.ndarray[Any, Any]


def fit_reference(
    rows: Rows | Columns,
    schema: Schema,
    config: MonitorConfig,
    extra: Mapping[Role, Values] | None = None,
) -> Reference:
    """Fit bins to rows and count them.

    Parameters
    ----------
    rows
        Rows or columns, in the order of time.
    schema
        What they hold.
    config
        Bins, and events in a pane; where panes are cut by time, a tenth of the rows is one.
    extra
        Predictions and labels, as long as the rows.

    Returns
    -------
    Reference
        Counts and layout. A column that cannot be binned is only watched for presence.

    Examples
    --------
    >>> schema = Schema((Feature("x", "float"),))
    >>> reference = fit_reference({"x": np.arange(2000.0)}, schema, MonitorConfig())
    >>> reference.total.events, len(reference.panes), reference.layout.columns[0].bins.size
    (2000, 2, 32)
    """
    batch = check_batch(rows, schema)
    columns: dict[tuple[str, str], Column] = {}
    layouts: list[ColumnLayout] = []
    named: list[tuple[Role, Feature, Column]] = [
        ("feature", feature, batch.columns[feature.name]) for feature in schema.features
    ]
    for role, values in (extra or {}).items():
        feature = infer_feature(role, values)
        named.append((role, feature, check(values, feature)))
    for role, feature, column in named:
        bins = fit_bins(column, feature, bins=config.skew.bins, categories=config.skew.categories)
        columns[role, feature.name] = column
        layouts.append(ColumnLayout(feature.name, role, bins))
    timed = config.panes.seconds is not None
    pane_events = max(1, batch.rows // 10) if timed else config.panes.events
    return Reference.of_columns(Layout(tuple(layouts)), columns, pane_events)


def feature_of(name: str, bins: Bins) -> Feature:
    """Declare a column by the bins it has, for checking predictions and labels.

    Parameters
    ----------
    name
        Its name.
    bins
        Its bins.

    Returns
    -------
    Feature
        An optional feature of the type that the bins count.

    Examples
    --------
    >>> from monitor.bins import CategoricalBins
    >>> feature_of("label", CategoricalBins(("UP",))).type
    'string'
    """
    kind: FeatureType = "any"
    if bins.kind == "numeric":
        kind = "float"
    elif bins.kind == "categorical":
        kind = "bool" if getattr(bins, "boolean", False) else "string"
    return Feature(name, kind, required=False)


def compare_rows(
    rows: Rows | Columns,
    schema: Schema,
    reference: Reference,
    config: MonitorConfig,
    predictions: Values | None = None,
) -> SkewReport:
    """Compare rows with a reference, as one span.

    Parameters
    ----------
    rows
        Rows or columns.
    schema, reference
        What they are checked against, and compared with.
    config
        Budget and floors; the budget is per report.
    predictions
        As long as the rows.

    Returns
    -------
    SkewReport
        A result for each column.

    Examples
    --------
    >>> schema = Schema((Feature("x", "float"),))
    >>> reference = fit_reference({"x": np.arange(2000.0)}, schema, MonitorConfig())
    >>> compare_rows({"x": np.arange(1000.0)}, schema, reference, MonitorConfig()).alarms
    ('x',)
    """
    batch = check_batch(rows, schema)
    layout = reference.layout
    cells = batch_cells(layout, batch, prediction_column(layout, predictions))
    counts = cells.counts(slice(0, batch.rows))
    pane = Pane(layout.fingerprint, events=batch.rows, counts=counts)
    test = SkewTest(reference, config.skew, spans=(0,), pane_events=batch.rows)
    return test.report({0: pane})


def prediction_column(layout: Layout, predictions: Values | None) -> dict[tuple[Role, str], Column]:
    """Check predictions against the bins that a layout has for them.

    Parameters
    ----------
    layout
        With or without predictions.
    predictions
        What the model said.

    Returns
    -------
    dict
        By (role, name); empty where there is nothing to count.

    Examples
    --------
    >>> prediction_column(Layout(()), [1, 2])
    {}
    """
    at = layout.index.get(("prediction", "prediction"))
    if predictions is None or at is None:
        return {}
    feature = feature_of("prediction", layout.columns[at].bins)
    return {("prediction", "prediction"): check(predictions, feature)}
