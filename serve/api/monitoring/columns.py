"""What the tests say about one column, as answers show it."""

from __future__ import annotations

from math import exp, isfinite
from typing import Literal

from pydantic import BaseModel, Field

from monitor import statistics
from monitor.arrays import IntArray
from monitor.bins import Bins, NumericBins
from monitor.layout import Layout
from monitor.panes import Pane
from monitor.report import ColumnSkew
from serve.api.monitoring.stage import Role

Kind = Literal["numeric", "categorical", "presence"]
Status = Literal["OK", "ALARM", "INSUFFICIENT"]
TestName = Literal["wasserstein", "js"]

COLUMN_EXAMPLE = {
    "role": "feature",
    "name": "distance",
    "kind": "numeric",
    "status": "ALARM",
    "ratio": 1.7,
    "test": "wasserstein",
    "threshold": 0.1,
    "wasserstein": 0.17,
    "js": 0.12,
    "ks": 0.09,
    "psi": 0.06,
    "chi_square": 912.4,
    "chi_square_p": 1e-150,
    "l_infinity": 0.04,
    "culprit": "1065 to 1096",
    "p": 1e-40,
    "q": 1e-39,
    "values_reference": 10000,
    "values_current": 16000,
    "missing_reference": 0.0,
    "missing_current": 0.01,
}


class ColumnReport(BaseModel):
    """How far a column is from its reference, and whether that is an alarm."""

    role: Role
    name: str
    kind: Kind = Field(description="Of its bins; of presence, only missing values are counted.")
    status: Status = Field(
        description="ALARM: significant within the budget, and large enough to matter. "
        "INSUFFICIENT: too few values to tell; never an alarm."
    )
    ratio: float = Field(description="Distance over threshold of `test`; at least 1 is an alarm.")
    test: TestName = Field(description="The test nearest to its threshold.")
    threshold: float | None = Field(
        description="Of that test, in its unit: the largest of the critical value, the smallest "
        "effect that matters, and what the reference's own panes do. null: it does not apply."
    )
    wasserstein: float | None = Field(
        description="Wasserstein-1 distance in standard deviations of the reference; null where "
        "that is not defined."
    )
    js: float = Field(description="Jensen-Shannon distance (base 2); missing is a category.")
    ks: float | None = Field(description="Kolmogorov-Smirnov distance; null unless numeric.")
    psi: float = Field(description="Population stability index, in nats.")
    chi_square: float
    chi_square_p: float = Field(description="Asymptotic; tiny for any change in many values.")
    l_infinity: float = Field(description="Largest change of a bin's share.")
    culprit: str = Field(description="The bin whose share changed most.")
    p: float = Field(description="Chance of that distance without a change, in one test.")
    q: float = Field(description="Benjamini-Hochberg adjusted, over all columns.")
    values_reference: int = Field(description="Values, missing ones included.")
    values_current: int
    missing_reference: float = Field(description="Share of missing values.")
    missing_current: float


class Bin(BaseModel):
    """One bin of a distribution; shares are of all usable values, missing ones included."""

    label: str
    low: float | None = Field(description="Excluded; null is open, or no number.")
    high: float | None = Field(description="Included.")
    reference: float = Field(description="Share in the reference.")
    current: float | None = Field(description="Share in the span; null without values.")


class Share(BaseModel):
    """A share of values, then and now."""

    reference: float
    current: float | None


class Distribution(BaseModel):
    """Reference and current values in the same bins."""

    bins: list[Bin] = Field(
        description="Numbers in order; categories by their share in the reference, then (other) "
        "and (unseen)."
    )
    missing: Share = Field(description="Of all usable values.")
    unusable: Share = Field(description="Of the wrong type or not finite; of all values.")
    changed_most: list[str] = Field(description="Labels of up to ten bins, largest change first.")
    top_categories: list[Bin] | None = Field(
        description="The ten commonest of the span (of the reference, without one); null unless "
        "categorical."
    )


_TOP = 10


def column_report(found: ColumnSkew, q: float) -> ColumnReport:
    """Return a column's result, with its place among all as ``q``."""
    return ColumnReport(
        role=found.role,
        name=found.name,
        kind=found.kind,
        status=found.status,
        ratio=found.ratio,
        test=found.test,
        threshold=finite(found.threshold),
        wasserstein=found.wasserstein,
        js=found.js,
        ks=found.ks,
        psi=found.psi,
        chi_square=found.chi_square,
        chi_square_p=found.chi_square_p,
        l_infinity=found.l_infinity,
        culprit=found.culprit,
        p=exp(found.log_p),
        q=q,
        values_reference=found.values_reference,
        values_current=found.values_current,
        missing_reference=found.missing_reference,
        missing_current=found.missing_current,
    )


def distribution(layout: Layout, at: int, reference: Pane, current: Pane | None) -> Distribution:
    """Return both distributions of a column.

    Parameters
    ----------
    layout
        Of both panes.
    at
        Position of the column.
    reference, current
        Counts; without current ones its shares are None.
    """
    kind = layout.columns[at].bins
    then = layout.of_column(reference.counts, at)
    before, before_unusable = _shares(then)
    after: list[float] | None = None
    after_unusable: float | None = None
    if current is not None and current.counts.any():
        after, after_unusable = _shares(layout.of_column(current.counts, at))
    bins = [
        Bin(
            label=kind.label(cell),
            low=_edge(kind, cell - 1),
            high=_edge(kind, cell),
            reference=before[cell],
            current=None if after is None else after[cell],
        )
        for cell in range(kind.size)
    ]
    changed = [one for one in bins if one.current is not None and one.current != one.reference]
    changed.sort(key=lambda one: -abs((one.current or 0.0) - one.reference))
    common = sorted(bins, key=lambda one: -(one.reference if after is None else one.current or 0.0))
    missing = None if after is None else after[kind.size]
    return Distribution(
        bins=bins,
        missing=Share(reference=before[kind.size], current=missing),
        unusable=Share(reference=before_unusable, current=after_unusable),
        changed_most=[one.label for one in changed[:_TOP]],
        top_categories=common[:_TOP] if kind.kind == "categorical" else None,
    )


def finite(value: float) -> float | None:
    """Return a number that JSON can hold, or None.

    Examples
    --------
    >>> finite(0.5), finite(float("inf"))
    (0.5, None)
    """
    return value if isfinite(value) else None


def _shares(counts: IntArray) -> tuple[list[float], float]:
    """Return the shares of own cells and the missing one, and that of unusable values."""
    usable = statistics.shares(counts[:-1])
    return usable.tolist(), float(statistics.shares(counts)[-1])


def _edge(bins: Bins, cell: int) -> float | None:
    if isinstance(bins, NumericBins) and 0 <= cell < len(bins.edges):
        return finite(bins.edges[cell])
    return None
