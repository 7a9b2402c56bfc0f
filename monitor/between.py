"""What differs between the data of two references, whose bins need not be the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from monitor import statistics
from monitor.arrays import FloatArray
from monitor.bins import CategoricalBins, NumericBins
from monitor.calibration import Calibration
from monitor.config import SkewConfig
from monitor.layout import ColumnLayout, Role
from monitor.reference import Reference

_NAMED = 3
_LEVEL = 0.01

Found = Literal["differs", "alike", "insufficient", "only_before", "only_after", "other_kind"]


@dataclass(frozen=True, slots=True)
class ColumnDifference:
    """One column in two references.

    Parameters
    ----------
    name, role
        The column.
    found
        ``differs`` where the distance reaches its threshold; ``insufficient`` where either has too
        few values; the rest where the columns cannot be compared.
    test
        ``wasserstein``: in standard deviations of the first, between the bins' centres;
        ``js``: Jensen-Shannon distance of the categories, missing being one. Empty for none.
    distance, threshold
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
    threshold: float | None = None
    missing_before: float | None = None
    missing_after: float | None = None
    values_before: int = 0
    values_after: int = 0
    changed: tuple[str, ...] = ()


def compare_references(
    before: Reference, after: Reference, config: SkewConfig | None = None
) -> list[ColumnDifference]:
    """Compare the columns of two references by the monitor's distances.

    A column differs where its distance is both significant, at a level of 0.01 shared among all
    tests (Bonferroni), and as large as its floor.

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
    thresholds = _thresholds(before, after, config)
    columns = {
        key: reference.layout.columns[at].bins
        for reference in (after, before)
        for key, at in reference.layout.index.items()
    }
    found = [
        _compare(before, after, role, name, thresholds.get((role, name), (np.inf, np.inf)), config)
        for role, name in columns
    ]
    order = {"differs": 0, "only_before": 1, "only_after": 1, "other_kind": 1}
    return sorted(
        found,
        key=lambda one: (
            order.get(one.found, 2),
            -(one.distance or 0.0) / (one.threshold or 1.0),
        ),
    )


def _thresholds(
    before: Reference, after: Reference, config: SkewConfig
) -> dict[tuple[Role, str], tuple[float, float]]:
    """Return by column what its two distances must reach: critical value or floor."""
    calibration = Calibration(before)
    sizes = np.zeros((len(before.layout.columns), 2))
    for key, at in before.layout.index.items():
        if (column := _column(after, *key)) is not None:
            bins, counts = column[0].bins, column[1]
            sizes[at] = counts[: bins.size].sum(), counts[:-1].sum()
    level = _LEVEL / max(1, int(calibration.applies.sum()))
    scale = np.maximum(calibration.scale(sizes), 1e-12)
    floors = np.array([config.wasserstein_floor, config.js_floor])
    found = np.maximum(calibration.critical(level, sizes) / scale, floors)
    return {
        key: (float(found[at, 0]), float(found[at, 1])) for key, at in before.layout.index.items()
    }


def _compare(
    before: Reference,
    after: Reference,
    role: Role,
    name: str,
    thresholds: tuple[float, float],
    config: SkewConfig,
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
        test, threshold = "wasserstein", thresholds[0]
        distance = _moved(one.bins, counts, other.bins, others)
    else:
        test, threshold = "js", thresholds[1]
        p, q, changed = _shared(one, counts, other, others)
        distance = float(statistics.js_distance(statistics.shares(p), statistics.shares(q)))
    few = min(size, more) < config.min_values
    differs = distance is not None and distance >= threshold
    return ColumnDifference(
        name,
        role,
        "insufficient" if few or distance is None else "differs" if differs else "alike",
        test,
        distance,
        threshold if np.isfinite(threshold) else None,
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
    from scipy import stats  # slow to import

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
