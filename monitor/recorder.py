"""The open pane, and the cutting of the stream into closed ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.cells import BatchCells
from monitor.config import PaneConfig
from monitor.counting import CheckedBatch, pane_of
from monitor.cutting import cut
from monitor.layout import Layout, Role
from monitor.panes import Pane


class Recorder:
    """Counts checked events into panes.

    Parameters
    ----------
    layout
        How they are counted.
    config
        Where panes end.
    opened
        The open pane to go on with.
    key
        Its number on the axis of event time.

    Examples
    --------
    >>> from monitor.counting import batch_cells, check_batch
    >>> from monitor.schema import Schema
    >>> recorder = Recorder(Layout(()), PaneConfig(events=10))
    >>> batch = check_batch([{}] * 25, Schema(()))
    >>> cells = batch_cells(recorder.layout, batch, {})
    >>> [pane.events for pane in recorder.record(batch, cells, np.arange(25.0), {})]
    [10, 10]
    >>> recorder.open.events
    5
    """

    def __init__(
        self, layout: Layout, config: PaneConfig, opened: Pane | None = None, key: int | None = None
    ) -> None:
        self.layout = layout
        self.config = config
        self.open = opened or Pane(layout.fingerprint)
        self.key = key

    def record(
        self,
        batch: CheckedBatch,
        cells: BatchCells,
        times: FloatArray,
        sketches: Mapping[str, IntArray],
    ) -> Iterator[Pane]:
        """Count a batch; all of the iterator must be consumed.

        Parameters
        ----------
        batch, cells, sketches
            The checked events, their cells, and the hashes of what is counted for distinct values.
        times
            Event times in seconds, shape (rows,).

        Yields
        ------
        Pane
            Each one that closes, in order.
        """
        for stretch in cut(times, self.open.events, self.key, self.config):
            if stretch.opens:
                yield self.close()
            self.key = stretch.key
            some = pane_of(self.layout, batch, cells, times, stretch.rows, sketches)
            self.open += replace(some, late=stretch.late)
            if stretch.closes:
                yield self.close()

    def until_close(self, times: FloatArray) -> int:
        """Tell how far the next events reach until a pane closes.

        Parameters
        ----------
        times
            Event times in seconds, shape (rows,).

        Returns
        -------
        int
            Number of leading events with which the first pane closes; `rows + 1` for none.
        """
        for stretch in cut(times, self.open.events, self.key, self.config):
            if stretch.opens:
                return int(stretch.rows.start) + 1
            if stretch.closes:
                return int(stretch.rows.stop)
        return len(times) + 1

    def count(self, role: Role, cells: IntArray) -> None:
        """Count values of a role that come apart from the events, such as labels.

        Parameters
        ----------
        role
            Whose column it is; it bears the role's name.
        cells
            Within the column.
        """
        start = self.layout.offsets[self.layout.index[role, role]]
        counts = np.bincount(start + cells, minlength=self.layout.cells)
        self.open += Pane(self.layout.fingerprint, counts=counts)

    def close(self) -> Pane:
        """Close the open pane, however few events it has, and return it."""
        closed, self.open = self.open, Pane(self.layout.fingerprint)
        return closed
