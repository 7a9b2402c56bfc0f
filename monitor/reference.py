"""The reference: what a model was promoted on, as counts."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from monitor.arrays import IntArray
from monitor.columns import Column
from monitor.errors import DamagedError, LayoutMismatchError
from monitor.layout import Layout
from monitor.panes import Pane, merge

PANES_MAX = 64


class _Stored(msgspec.Struct):
    layout: str
    total: str
    panes: list[str]


@dataclass(frozen=True)
class Reference:
    """Counts that the current events are compared with; frozen, stored under a model's version.

    Parameters
    ----------
    layout
        How the counts were made.
    total
        The sum of all reference panes.
    panes
        The last of these in order, for the guard against autocorrelation and for `placebo`.

    Examples
    --------
    >>> from monitor.layout import Layout
    >>> layout = Layout(())
    >>> Reference.of_panes(layout, [Pane(layout.fingerprint, events=5)]).total.events
    5
    """

    layout: Layout
    total: Pane
    panes: tuple[Pane, ...]

    @classmethod
    def of_panes(cls, layout: Layout, panes: Sequence[Pane]) -> Reference:
        """Make a reference of panes that were counted already, for a newly promoted version.

        Parameters
        ----------
        layout
            The layout of the panes.
        panes
            In order of time.

        Returns
        -------
        Reference
            Comparable with every pane of the same layout.

        Raises
        ------
        LayoutMismatchError
            A pane was counted with another layout.
        """
        for pane in panes:
            if pane.layout != layout.fingerprint:
                raise LayoutMismatchError(layout.fingerprint, pane.layout)
        return cls(layout, merge(panes), tuple(panes[-PANES_MAX:]))

    @classmethod
    def of_columns(
        cls, layout: Layout, columns: Mapping[tuple[str, str], Column], pane_events: int
    ) -> Reference:
        """Make a reference of the rows that the layout itself was fitted to.

        Parameters
        ----------
        layout
            Fitted to these columns.
        columns
            By (role, name), all of the same length.
        pane_events
            Rows in a pane.

        Returns
        -------
        Reference
            With whole panes only among its `panes`; its total has every row.
        """
        rows = max((len(column.values) for column in columns.values()), default=0)
        ends = np.arange(pane_events, rows + 1, pane_events)
        parts = np.zeros((len(ends) + 1, layout.cells), dtype=np.int64)
        for at, column in enumerate(layout.columns):
            start, stop = layout.offsets[at], layout.offsets[at + 1]
            values = columns[column.role, column.name]
            parts[:, start:stop] = column.bins.reference_counts(values, ends)
        panes = [Pane(layout.fingerprint, events=pane_events, counts=part) for part in parts[:-1]]
        rest = Pane(layout.fingerprint, events=rows - len(panes) * pane_events, counts=parts[-1])
        return cls(layout, merge([*panes, rest]), tuple(panes[-PANES_MAX:]))

    @cached_property
    def pane_events(self) -> int:
        """Usual number of events in a pane; 0 without panes."""
        return int(np.median([pane.events for pane in self.panes])) if self.panes else 0

    @cached_property
    def pane_counts(self) -> IntArray:
        """Shape (panes, cells)."""
        if not self.panes:
            return np.zeros((0, self.layout.cells), dtype=np.int64)
        return np.stack([pane.counts for pane in self.panes])

    def to_data(self) -> dict[str, Any]:
        """Give the reference as plain data that any JSON writer takes."""
        return {
            "layout": self.layout.to_bytes().decode(),
            "total": base64.b64encode(self.total.to_bytes()).decode(),
            "panes": [base64.b64encode(pane.to_bytes()).decode() for pane in self.panes],
        }

    @classmethod
    def from_data(cls, data: object) -> Reference:
        """Read what `to_data` gave.

        Parameters
        ----------
        data
            Plain data.

        Returns
        -------
        Reference
            The reference.

        Raises
        ------
        DamagedError
            Not a reference.
        """
        try:
            stored = msgspec.convert(data, _Stored)
            panes = [Pane.from_bytes(base64.b64decode(text)) for text in stored.panes]
            total = Pane.from_bytes(base64.b64decode(stored.total))
        except (msgspec.ValidationError, ValueError) as error:
            raise DamagedError("reference", str(error)) from error
        layout = Layout.from_bytes(stored.layout.encode())
        for pane in (total, *panes):
            if pane.layout != layout.fingerprint or len(pane.counts) != layout.cells:
                raise DamagedError("reference", "a pane is of another layout")
        return cls(layout, total, tuple(panes))
