"""What a comparison found: plain data, from counts of files as of panes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from monitor.arrays import IntArray
from monitor.layout import ColumnLayout
from monitor.panes import Pane
from monitor.reference import Reference
from monitor.report import ColumnSkew, SkewReport
from serve.cli.drift_choice import some

Verdict = Literal["DRIFT", "OK", "INSUFFICIENT"]
Why = Literal["", "gone", "type"]

UNUSABLE_MORE = 0.05
"""Share of values of another type from which on a column drifted: as where learning halts."""


@dataclass(frozen=True, slots=True)
class Extra:
    """What counts do not tell of a column.

    Parameters
    ----------
    gone
        The current data have no such column.
    new_categories
        Categories that the reference does not have, the commonest first, and how often they come.
    """

    gone: bool = False
    new_categories: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """One column of the result.

    Parameters
    ----------
    skew
        The tests.
    q
        Its adjusted p-value.
    verdict
        `DRIFT` by the tests, or for the reason in `why`.
    why
        `gone`, `type`, or empty.
    culprit_shares
        Of the cell that changed most, in the reference and in the current data.
    unusable
        Shares of values of another type, likewise.
    column
        Its bins.
    counts
        Of the cells, likewise.
    extra
        See there.
    """

    skew: ColumnSkew
    q: float
    verdict: Verdict
    why: Why
    culprit_shares: tuple[float, float]
    unusable: tuple[float, float]
    column: ColumnLayout
    counts: tuple[IntArray, IntArray]
    extra: Extra


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a stream's past was compared.

    Parameters
    ----------
    version
        Whose reference it was compared with.
    panes, skipped
        In the span; and those that were counted with other bins.
    first, last
        Event times in seconds since the epoch.
    """

    version: str
    panes: int
    skipped: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class DriftResult:
    """A comparison.

    Parameters
    ----------
    reference, current
        Where the data come from, and how many rows or events they are.
    features
        The most suspicious first.
    skew
        Budget and level.
    left_out
        Columns that were not compared, and why.
    notes
        What a person should know besides.
    span
        Of a stream's past; None for files.
    """

    reference: tuple[str, int]
    current: tuple[str, int]
    features: tuple[FeatureDrift, ...]
    skew: SkewReport
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    span: Span | None = None

    @property
    def drifted(self) -> tuple[FeatureDrift, ...]:
        """The features that drifted."""
        return tuple(each for each in self.features if each.verdict == "DRIFT")

    @property
    def usable(self) -> bool:
        """Whether anything could be told at all."""
        return any(each.verdict != "INSUFFICIENT" for each in self.features)


def describe(
    report: SkewReport, reference: Reference, current: Pane, extras: Mapping[str, Extra]
) -> tuple[FeatureDrift, ...]:
    """Put together what tests and counts say.

    Parameters
    ----------
    report
        Of one span.
    reference, current
        What was compared.
    extras
        By column.

    Returns
    -------
    tuple of FeatureDrift
        Those that drifted first, and among these the most suspicious.
    """
    layout, found = reference.layout, []
    for blame in report.blame:
        at = layout.index[blame.role, blame.name]
        counts = layout.of_column(reference.total.counts, at), layout.of_column(current.counts, at)
        skew = report.by_column[blame.role, blame.name][-1]
        unusable = _unusable(counts[0]), _unusable(counts[1])
        extra = extras.get(blame.name, Extra())
        why: Why = "type" if unusable[1] > unusable[0] + UNUSABLE_MORE else ""
        why = "gone" if extra.gone else why
        verdict: Verdict = "DRIFT" if why or skew.status == "ALARM" else skew.status
        found.append(
            FeatureDrift(
                skew=skew,
                q=blame.q,
                verdict=verdict,
                why=why,
                culprit_shares=_culprit(counts),
                unusable=unusable,
                column=layout.columns[at],
                counts=counts,
                extra=extra,
            )
        )
    rank = {"DRIFT": 0, "OK": 1, "INSUFFICIENT": 2}
    return tuple(sorted(found, key=lambda each: (rank[each.verdict], not each.why)))


def _unusable(counts: IntArray) -> float:
    return float(counts[-1] / max(int(counts.sum()), 1))


def _culprit(counts: tuple[IntArray, IntArray]) -> tuple[float, float]:
    """Give both shares of the cell that changed most; values of another type are no part of it."""
    usable = np.stack(counts)[:, :-1]
    totals = usable.sum(axis=1)
    if not totals.all():
        return 0.0, 0.0
    # As the tests see them: missing first, so that ties are broken alike.
    shares = np.roll(usable / totals[:, np.newaxis], 1, axis=1)
    at = int(np.abs(shares[1] - shares[0]).argmax())
    return float(shares[0, at]), float(shares[1, at])


def headline(result: DriftResult) -> str:
    """Give the result in a sentence.

    Parameters
    ----------
    result
        Of a comparison.

    Returns
    -------
    str
        Which features drifted, and how many could not be told.
    """
    total, drifted = len(result.features), result.drifted
    noun = "feature" if all(f.skew.role == "feature" for f in result.features) else "column"
    features = f"{total} {noun}{'' if total == 1 else 's'}"
    unknown = sum(each.verdict == "INSUFFICIENT" for each in result.features)
    if unknown == total:
        return f"Nothing can be told: too few values in {features}"
    text = f"{len(drifted) or 'None'} of {features} drifted"
    if drifted:
        text += f": {some(each.skew.name for each in drifted)}"
    return text + (f". {unknown} had too few values" if unknown else "")
