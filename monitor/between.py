"""What differs between the data of two references, whose bins need not be the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from monitor import statistics
from monitor.arrays import FloatArray
from monitor.bins import CategoricalBins, NumericBins
from monitor.config import SkewConfig
from monitor.layout import ColumnLayout, Role
from monitor.reference import Reference

_NAMED = 3

Found = Literal["differs", "alike", "insufficient", "only_before", "only_after", "other_kind"]


@dataclass(frozen=True, slots=True)
class ColumnDifference:
    """One column in two references.

    Parameters
    ----------
    name, role
        The column.
    found
        ``differs`` where the distance reaches its floor; ``insufficient`` where either has too
        few values; the rest where the columns cannot be compared.
    test
        ``wasserstein``: in standard deviations of the first, between the bins' centres;
        ``js``: Jensen-Shannon distance of the categories, missing being one. Empty for none.
    distance, floor
        In that unit; None where nothing was compared.
    missing_before, missing_after
        Shares of missing values.
    values_before, values_after
        Values, missing ones included.
    changed
        For categories, those whose shares changed most.
    """

    name: str
    role: Role
    found: Found
    test: str = ""
    distance: float | None = None
    floor: float | None = None
    missing_before: float | None = None
    missing_after: float | None = None
    values_before: int = 0
    values_after: int = 0
    changed: tuple[str, ...] = ()


def compare_references(
    before: Reference, after: Reference, config: SkewConfig | None = None
) -> list[ColumnDifference]:
    """Compare the columns of two references by the monitor's distances and their floors.

    Counts of different bins cannot be tested for significance as panes are; with as many values as
    a reference has, the floors decide.

    Parameters
    ----------
    before, after
        For instance of two versions.
    config
        For the floors, and the fewest values.

    Returns
    -------
    list of ColumnDifference
        Those that differ first, the largest distance before its floor first.
    """
    config = config or SkewConfig()
    columns = {
        key: reference.layout.columns[at].bins
        for reference in (after, before)
        for key, at in reference.layout.index.items()
    }
    found = [_compare(before, after, role, name, config) for role, name in columns]
    order = {"differs": 0, "only_before": 1, "only_after": 1, "other_kind": 1}
    return sorted(
        found,
        key=lambda one: (order.get(one.found, 2), -(one.distance or 0.0) / (one.floor or 1.0)),
    )


def _compare(
    before: Reference, after: Reference, role: Role, name: str, config: SkewConfig
) -> ColumnDifference:
    here, there = _column(before, role, name), _column(after, role, name)
    if here is None or there is None:
        return ColumnDifference(name, role, "only_after" if here is None else "only_before")
    (one, counts), (other, others) = here, there
    if one.bins.kind != other.bins.kind:
        return ColumnDifference(name, role, "other_kind")
    p, q = _with_missing(counts), _with_missing(others)
    size, more = int(p.sum()), int(q.sum())
    changed: tuple[str, ...] = ()
    if isinstance(one.bins, NumericBins) and isinstance(other.bins, NumericBins):
        test, floor = "wasserstein", config.wasserstein_floor
        distance = _moved(one.bins, counts, other.bins, others)
    else:
        test, floor = "js", config.js_floor
        p, q, changed = _shared(one, counts, other, others)
        distance = float(statistics.js_distance(statistics.shares(p), statistics.shares(q)))
    few = min(size, more) < config.min_values
    differs = distance is not None and distance >= floor
    return ColumnDifference(
        name,
        role,
        "insufficient" if few or distance is None else "differs" if differs else "alike",
        test,
        distance,
        floor,
        _missing(counts),
        _missing(others),
        size,
        more,
        changed if differs else (),
    )


def _column(reference: Reference, role: Role, name: str) -> tuple[ColumnLayout, FloatArray] | None:
    layout = reference.layout
    at = layout.index.get((role, name))
    if at is None:
        return None
    return layout.columns[at], layout.of_column(reference.total.counts, at).astype(np.float64)


def _with_missing(counts: FloatArray) -> FloatArray:
    """Leave out what could not be used, which stands last."""
    return counts[:-1]


def _missing(counts: FloatArray) -> float:
    return float(counts[-2] / max(_with_missing(counts).sum(), 1.0))


def _moved(
    one: NumericBins, counts: FloatArray, other: NumericBins, others: FloatArray
) -> float | None:
    """Return the distance of two sets of weighted centres; None where that is not defined."""
    p, q = counts[: one.size], others[: other.size]
    if not p.sum() or not q.sum():
        return None
    centres, more = np.array(one.centres), np.array(other.centres)
    spread = float(statistics.deviation(statistics.shares(p), centres))
    moved = float(stats.wasserstein_distance(centres, more, p, q))
    if spread <= 0.0:
        return 0.0 if moved == 0.0 else None
    return moved / spread


def _shared(
    one: ColumnLayout, counts: FloatArray, other: ColumnLayout, others: FloatArray
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Count two columns in the same cells, by their labels."""
    p, q = _by_label(one, counts), _by_label(other, others)
    labels = [*p, *(label for label in q if label not in p)]
    first = np.array([p.get(label, 0.0) for label in labels])
    second = np.array([q.get(label, 0.0) for label in labels])
    change = np.abs(statistics.shares(second) - statistics.shares(first))
    order = np.argsort(-change, kind="stable")[:_NAMED]
    return first, second, tuple(labels[at] for at in order if change[at] > 0)


def _by_label(column: ColumnLayout, counts: FloatArray) -> dict[str, float]:
    """Return counts by label; what no name is kept for is together, whichever side it is on."""
    found: dict[str, float] = {}
    named = len(column.bins.categories) if isinstance(column.bins, CategoricalBins) else None
    for cell in range(column.bins.size + 1):
        rest = named is not None and named <= cell < column.bins.size
        label = "(other)" if rest else column.bins.label(cell)
        found[label] = found.get(label, 0.0) + float(counts[cell])
    return found
