"""Results of the skew tests: plain data, drawn by others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

from monitor.layout import ROLES, Role

Status = Literal["OK", "ALARM", "INSUFFICIENT"]


@dataclass(frozen=True, slots=True)
class ColumnSkew:
    """What the tests say about one column over one span.

    Parameters
    ----------
    name, role, kind
        The column; `kind` is `numeric`, `categorical` or `presence`.
    span
        Panes in the span; 0 where it is not made of panes.
    status
        `ALARM` when a test passes both its critical value and its effect floor; `INSUFFICIENT`
        when the span or the reference has too few values.
    values_reference, values_current
        Values, missing ones included.
    missing_reference, missing_current
        Shares of missing values.
    wasserstein
        Wasserstein-1 distance in standard deviations of the reference, winsorised; None where
        that is not defined.
    js
        Jensen-Shannon distance, base 2, missing being a category.
    ks
        Kolmogorov-Smirnov distance of the binned CDFs; None for what is not numeric.
    psi, chi_square, chi_square_p
        Population stability index in nats; Pearson's statistic and its asymptotic p-value.
    l_infinity, culprit
        Largest change of a cell's share, and that cell's label.
    test
        The test nearest to its threshold: `wasserstein` or `js`.
    threshold
        Of that test, in its unit: the largest of critical value, effect floor and guard.
    ratio
        Distance over threshold; at least 1 is an alarm.
    log_p
        Natural log of the chance of that distance without a change.
    """

    name: str
    role: Role
    kind: str
    span: int
    status: Status
    values_reference: int
    values_current: int
    missing_reference: float
    missing_current: float
    wasserstein: float | None
    js: float
    ks: float | None
    psi: float
    chi_square: float
    chi_square_p: float
    l_infinity: float
    culprit: str
    test: str
    threshold: float
    ratio: float
    log_p: float


@dataclass(frozen=True, slots=True)
class Blame:
    """A column's place in the order of suspicion.

    Parameters
    ----------
    name, role
        The column.
    q
        Benjamini-Hochberg adjusted p-value.
    ratio
        Largest distance over threshold, over tests and spans.
    alarm
        Whether any span is in alarm.
    """

    name: str
    role: Role
    q: float
    ratio: float
    alarm: bool


class Findings(Protocol):
    """What a report is made of, when it is asked for."""

    def ratio(self, role: Role) -> float:
        """Give the largest distance over threshold of the columns with a role; 0 for none."""

    def ratios(self) -> dict[tuple[Role, str], float]:
        """Give the largest distance over threshold of the columns that have enough values."""

    def columns(self) -> tuple[ColumnSkew, ...]:
        """Describe every column over every span."""

    def blame(self) -> tuple[Blame, ...]:
        """Order the columns, the most suspicious first."""


@dataclass(frozen=True)
class SkewReport:
    """All columns over all spans.

    Parameters
    ----------
    columns
        One entry a column and span.
    blame
        The columns, the most suspicious first.
    budget
        False alarms per pane that were asked for.
    level
        Level of a single test.
    tests
        Number of tests.

    Examples
    --------
    >>> SkewReport((), (), 0.001, 0.001, 0).drifted
    False
    """

    columns: tuple[ColumnSkew, ...]
    blame: tuple[Blame, ...]
    budget: float
    level: float
    tests: int

    @classmethod
    def of(cls, findings: Findings, *, budget: float, level: float, tests: int) -> SkewReport:
        """Make a report whose columns and order are described when they are first asked for.

        Parameters
        ----------
        findings
            The distances.
        budget, level, tests
            As above.

        Returns
        -------
        SkewReport
            Equal to one that was described at once.
        """
        report = cls.__new__(cls)
        vars(report).update(_findings=findings, budget=budget, level=level, tests=tests)
        return report

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name not in ("columns", "blame") or "_findings" not in vars(self):
                raise AttributeError(name)
            return vars(self).setdefault(name, getattr(self._findings, name)())

    @property
    def drifted(self) -> bool:
        """Whether any column is in alarm."""
        return any(self.ratio(role) >= 1.0 for role in ROLES)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Names of the columns in alarm, the most suspicious first."""
        return tuple(entry.name for entry in self.blame if entry.alarm) if self.drifted else ()

    @cached_property
    def by_column(self) -> Mapping[tuple[Role, str], tuple[ColumnSkew, ...]]:
        """Results by (role, name), one a span."""
        found: dict[tuple[Role, str], tuple[ColumnSkew, ...]] = {}
        for column in self.columns:
            key = (column.role, column.name)
            found[key] = (*found.get(key, ()), column)
        return found

    def ratio(self, role: Role) -> float:
        """Give the largest distance over threshold of the columns with a role; 0 for none."""
        findings: Findings | None = vars(self).get("_findings")
        if findings is not None:
            return findings.ratio(role)
        return max((entry.ratio for entry in self.blame if entry.role == role), default=0.0)

    def ratios(self) -> dict[tuple[Role, str], float]:
        """Give the largest distance over threshold of every column that has enough values."""
        findings: Findings | None = vars(self).get("_findings")
        if findings is not None:
            return findings.ratios()
        tested = {(c.role, c.name) for c in self.columns if c.status != "INSUFFICIENT"}
        return {(b.role, b.name): b.ratio for b in self.blame if (b.role, b.name) in tested}
