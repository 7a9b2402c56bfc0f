"""The watch of a divided stream: it counts nothing, and decides what its shards add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.errors import LayoutMismatchError
from monitor.layout import Layout
from monitor.panes import Pane
from monitor.performance import Performance
from stream.labels import Label
from stream.learner import all_plain, plain
from stream.watching.beside import Beside
from stream.watching.findings import Finding
from stream.watching.first_events import FEWEST
from stream.watching.kept_events import KeptEvents
from stream.watching.pane_row import PaneRow, unpack_losses, unpack_scores
from stream.watching.stream_reference import Seen, StreamReference
from stream.watching.watch import Watch


class Part(msgspec.Struct, frozen=True):
    """A closed pane of one shard, read.

    Parameters
    ----------
    pane, performance, confidences, beside
        Its counts and its scores.
    labels
        Labels that came while it was open.
    losses, times
        Single losses of these, shape (losses,) both.
    """

    pane: Pane
    performance: Performance
    confidences: IntArray
    beside: Beside
    labels: int
    losses: FloatArray
    times: FloatArray


def read_part(row: PaneRow) -> Part:
    """Read a pane that a shard has closed.

    Raises
    ------
    ValueError
        It is damaged.
    """
    performance, confidences, beside = unpack_scores(row.scores)
    found = unpack_losses(row.scores)
    pane = Pane.from_bytes(row.data)
    return Part(pane, performance, confidences, beside, found.labels, *found.arrays())


class MergedWatch(Watch):
    """A watch over the panes of several shards; parameters as for ``Watch``."""

    def begin(self, kept: Mapping[int, KeptEvents]) -> StreamReference | None:
        """Make the reference of the first events of all shards; None while there are too few.

        Parameters
        ----------
        kept
            By partition, what its shard has kept.
        """
        order = sorted(
            (event.time, partition, place)
            for partition, one in kept.items()
            for place, event in enumerate(one.events)
            if not event.is_wrong
        )[: self.config.warmup_events]
        if len(order) < self.config.warmup_events:
            return None
        used = [kept[partition].events[place] for _, partition, place in order]
        half = used[len(used) // 2 :]
        # A shard with few events says other things than it will say later.
        said = [plain(self.task, event.said) for event in half if event.learned >= FEWEST]
        seen = tuple(
            Seen(
                partition,
                len(one.events),
                len(one.met),
                sum(of == partition for _, of, _ in order),
            )
            for partition, one in sorted(kept.items())
        )
        last = StreamReference("", {}, *order[-1], seen)
        labels = _labels_in(last, kept)
        self.monitor.fit(
            [self._decode(event.value) for event in used],
            predictions=said if len(said) >= FEWEST else None,
            labels=all_plain(self.task, labels) if len(labels) >= FEWEST else None,
        )
        schema, self.reference = self.monitor.schema, self.monitor.reference
        if schema is None or self.reference is None:
            return None
        return StreamReference.of(schema, self.reference, order[-1], seen)

    def take(self, parts: Sequence[Part], late: int, offsets: Mapping[str, int]) -> list[Finding]:
        """Add up panes of shards to one of the stream, and decide what follows from it.

        Parameters
        ----------
        parts
            The panes, at least one; ``refuse_misfit`` has seen them.
        late
            Of their events, those that came behind their pane of the stream.
        offsets
            Behind all of them.

        """
        losses = np.concatenate([part.losses for part in parts])
        times = np.concatenate([part.times for part in parts])
        order = np.argsort(times, kind="stable")
        labels = sum(part.labels for part in parts)
        drifts = self.monitor.observe_losses(labels, losses[order], times[order])
        self.drifts += drifts
        findings = [Finding("concept_drift", round(d.at_time * 1000), drift=d) for d in drifts]
        pane = Pane(self._layout.fingerprint, late=late)
        for part in parts:
            pane += part.pane
            self.performances.add_merged(part.performance, part.confidences, part.beside)
        self._offsets = dict(offsets)
        self.totals.events += pane.events
        self.totals.errors += pane.errors
        return [*findings, self._closed(self.monitor.take(pane))]

    def refuse_misfit(self, part: Part) -> None:
        """Raise where a pane was counted with another layout than the reference's.

        Raises
        ------
        monitor.errors.LayoutMismatchError
        """
        if part.pane.layout != self._layout.fingerprint:
            raise LayoutMismatchError(self._layout.fingerprint, part.pane.layout)

    @property
    def _layout(self) -> Layout:
        recorder = self.monitor.recorder
        return Layout(()) if recorder is None else recorder.layout


def _labels_in(found: StreamReference, kept: Mapping[int, KeptEvents]) -> list[Label]:
    """Return the labels that are part of a reference, in the order of their arrival by time."""
    order = []
    for partition, one in kept.items():
        for number, label in enumerate(one.met):
            if label.place >= 0:
                event = one.events[label.place]
                has = not event.is_wrong and found.has(event, partition, label.place)
            else:
                has = found.has_label(label, partition, number)
            if has:
                order.append((label.time + label.age, partition, number, label.label))
    return [label for *_, label in sorted(order, key=lambda one: one[:3])]
