"""Critical values: from the budget to the level of one test, and from that to thresholds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.bins import NumericBins
from monitor.reference import Reference
from monitor.tails import POINTS, TailCurve, effective_size, js_scale, js_tail, wasserstein_tails

WASSERSTEIN, JS = 0, 1
TESTS = ("wasserstein", "js")
_LEVEL_MAX = 0.05
_GATHERED_MAX = 16


def per_test_level(budget: float, floors: FloatArray) -> float:
    """Give the level of a test, so that all tests together keep to the budget.

    Without effect floors that is 1 - (1 - budget)^(1 / tests) (Sidak 1967, JASA 62). A test whose
    effect floor alone lets through less than that leaves the rest of its share to the others.

    Parameters
    ----------
    budget
        Chance of a false alarm in a pane, over all tests.
    floors
        Shape (tests,): log of the chance that an unchanged column passes the effect floor.

    Returns
    -------
    float
        At least Sidak's level, at most the smaller of the budget and 0.05.

    Examples
    --------
    >>> round(per_test_level(0.01, np.zeros(10)), 6)
    0.001005
    >>> round(per_test_level(0.01, np.array([0.0, 0.0, -50.0])), 6)
    0.005013
    """
    if not len(floors):
        return min(budget, _LEVEL_MAX)
    high = np.log(min(budget, _LEVEL_MAX))
    low = float(np.log(-np.expm1(np.log1p(-budget) / len(floors))))
    for _ in range(60):
        middle = (low + high) / 2.0
        used = -np.expm1(np.log1p(-np.exp(np.minimum(middle, floors))).sum())
        low, high = (middle, high) if used <= budget else (low, middle)
    return float(np.exp(low))


@dataclass(slots=True)
class _Table:
    """Tail curves of all columns for one size; shapes (columns,) and (columns, POINTS)."""

    step: FloatArray
    log_p: FloatArray
    mean: FloatArray
    variance: FloatArray

    def critical(self, level: float) -> FloatArray:
        """Give the scaled distance that is passed with a given chance; shape (columns,)."""
        wanted = np.log(level)
        left = np.clip((self.log_p > wanted).sum(axis=-1) - 1, 0, POINTS - 2)
        low, high = _take(self.log_p, left), _take(self.log_p, left + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(low > high, (low - wanted) / (low - high), 1.0)
        return np.asarray((left + np.maximum(part, 0.0)) * self.step)


@dataclass(slots=True)
class Calibration:
    """Tails of the two tests for every column of a reference.

    Parameters
    ----------
    reference
        The counts.

    Notes
    -----
    Tails depend on the size of the span only weakly once the distance is scaled by the root of
    the effective size. They are made for sizes a factor of 1.4 apart and kept.
    """

    reference: Reference
    sizes: FloatArray = field(init=False)
    applies: BoolArray = field(init=False)
    _own: FloatArray = field(init=False)
    _centres: FloatArray = field(init=False)
    _tables: dict[tuple[int, int], _Table] = field(init=False, default_factory=dict)
    _gathered: dict[bytes, _Table] = field(init=False, default_factory=dict)
    _criticals: dict[tuple[float, tuple[int, ...], bytes], FloatArray] = field(
        init=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        layout = self.reference.layout
        counts = layout.padded(self.reference.total.counts)
        self._own = counts[:, 1:]
        self._centres = centres_of(self.reference)
        own = self._own.sum(axis=1)
        self.sizes = np.stack([own, own + counts[:, 0]], axis=1)
        numeric = np.array([isinstance(c.bins, NumericBins) for c in layout.columns], dtype=bool)
        # With two cells both distances say the same, and to ask twice would halve the level.
        spread = (self._own > 0).sum(axis=1) > 2
        self.applies = np.stack([numeric & spread, self.sizes[:, JS] > 0], axis=1)

    def scale(self, sizes: FloatArray) -> FloatArray:
        """Give the factors from a statistic to the scaled distance of its tail.

        Parameters
        ----------
        sizes
            Values in the span, shape (..., columns, tests).

        Returns
        -------
        array
            Same shape.
        """
        return np.stack(
            [
                np.sqrt(effective_size(self.sizes[:, WASSERSTEIN], sizes[..., WASSERSTEIN])),
                js_scale(self.sizes[:, JS], sizes[..., JS]),
            ],
            axis=-1,
        )

    def log_p(self, x: FloatArray, sizes: FloatArray) -> FloatArray:
        """Give the log of the chance that an unchanged column is at least that far.

        Parameters
        ----------
        x
            Scaled distances, shape (columns, tests).
        sizes
            Values in the span, same shape.

        Returns
        -------
        array
            Same shape; 0 where a test does not apply.
        """
        table = self._gather(sizes)
        at = np.nan_to_num(x) / table.step
        left = np.clip(at.astype(np.int64), 0, POINTS - 2)
        low, high = _take(table.log_p, left), _take(table.log_p, left + 1)
        # Beyond the grid the last slope goes on, which is an upper bound for a concave curve.
        return np.where(self.applies, np.minimum(low + (at - left) * (high - low), 0.0), 0.0)

    def critical(self, level: float, sizes: FloatArray) -> FloatArray:
        """Give the scaled distance that an unchanged column passes with a given chance.

        Parameters
        ----------
        level
            The chance.
        sizes
            Values in the span, shape (..., columns, tests).

        Returns
        -------
        array
            Same shape; infinite where a test does not apply.
        """
        keys = _keys(sizes)
        known = level, keys.shape, keys.tobytes()
        if known in self._criticals:
            return self._criticals[known]
        result = np.full(keys.shape, np.inf)
        for test in (WASSERSTEIN, JS):
            own, here = keys[..., test], result[..., test]
            for key in np.unique(own[..., self.applies[:, test]]).tolist():
                found = np.where(
                    self.applies[:, test], self._table(test, key).critical(level), np.inf
                )
                np.copyto(here, found, where=own == key)
        if len(self._criticals) >= _GATHERED_MAX:
            self._criticals.clear()
        self._criticals[known] = result
        return result

    def moments(self, sizes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Give mean and variance of the squared scaled distance of an unchanged column.

        Parameters
        ----------
        sizes
            Values in the span, shape (columns, tests).

        Returns
        -------
        tuple of array
            Same shape.
        """
        table = self._gather(sizes)
        return table.mean, table.variance

    def _gather(self, sizes: FloatArray) -> _Table:
        """Give for each column and test the table of its own size."""
        keys = _keys(sizes)
        if keys.tobytes() in self._gathered:
            return self._gathered[keys.tobytes()]
        shape = keys.shape
        result = _Table(np.ones(shape), np.zeros((*shape, POINTS)), np.ones(shape), np.ones(shape))
        for test in (WASSERSTEIN, JS):
            for key in np.unique(keys[self.applies[:, test], test]):
                table = self._table(test, int(key))
                here = keys[:, test] == key
                for name in ("step", "log_p", "mean", "variance"):
                    getattr(result, name)[here, test] = getattr(table, name)[here]
        if len(self._gathered) >= _GATHERED_MAX:
            self._gathered.clear()
        self._gathered[keys.tobytes()] = result
        return result

    def _table(self, test: int, key: int) -> _Table:
        if (test, key) not in self._tables:
            size = round(2.0 ** (key / 2.0))
            make = self._wasserstein_table if test == WASSERSTEIN else self._js_table
            self._tables[test, key] = make(size)
        return self._tables[test, key]

    def _js_table(self, size: int) -> _Table:
        layout, counts = self.reference.layout, self.reference.total.counts
        curves = [
            js_tail(tuple(sorted(layout.of_column(counts, at)[:-1].tolist())), size)
            if self.applies[at, JS]
            else TailCurve(1.0, np.zeros(POINTS), 1.0, 1.0)
            for at in range(len(layout.columns))
        ]
        return _Table(
            np.array([curve.step for curve in curves]),
            np.array([curve.log_p for curve in curves]).reshape(-1, POINTS),
            np.array([curve.mean for curve in curves]),
            np.array([curve.variance for curve in curves]),
        )

    def _wasserstein_table(self, size: int) -> _Table:
        columns = self.applies[:, WASSERSTEIN]
        shape = len(columns)
        table = _Table(np.ones(shape), np.zeros((shape, POINTS)), np.ones(shape), np.ones(shape))
        if columns.any():
            own = self._own[columns]
            step, log_p = wasserstein_tails(
                own, self._centres[columns], np.full(len(own), size, dtype=np.int64)
            )
            table.step[columns] = step
            table.log_p[columns] = log_p
            x, p = step * np.arange(POINTS), np.exp(log_p)
            # E[X^2] is the integral of 2 x P(X >= x), and E[X^4] that of 4 x^3 P(X >= x).
            mean = np.trapezoid(2.0 * x * p, dx=step, axis=1)
            table.mean[columns] = mean
            table.variance[columns] = np.trapezoid(4.0 * x**3 * p, dx=step, axis=1) - mean**2
        return table


def _keys(sizes: FloatArray) -> IntArray:
    """Give each size the number of its table."""
    return np.asarray(np.round(2.0 * np.log2(np.maximum(sizes, 16.0))).astype(np.int64))


def _take(log_p: FloatArray, at: IntArray) -> FloatArray:
    return np.asarray(np.take_along_axis(log_p, at[..., None], axis=-1)[..., 0])


def centres_of(reference: Reference) -> FloatArray:
    """Give the centres of all columns' cells, padded by the last, so that no gap is added.

    They are moved and scaled to [-1, 1], which changes nothing in deviations and guards against
    overflow.

    Parameters
    ----------
    reference
        For its layout.

    Returns
    -------
    array
        Shape (columns, widest column); even steps for columns that are not numeric.
    """
    layout = reference.layout
    widest = max((column.bins.size for column in layout.columns), default=0)
    centres = np.tile(np.arange(widest, dtype=np.float64), (len(layout.columns), 1))
    for at, column in enumerate(layout.columns):
        if isinstance(column.bins, NumericBins):
            # Halved first, so that the widest range is no infinity.
            own = np.array(column.bins.centres) / 2.0
            own -= own[len(own) // 2]
            own /= np.abs(own).max() or 1.0
            centres[at, : len(own)] = own
            centres[at, len(own) :] = own[-1]
    return centres
