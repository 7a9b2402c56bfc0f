"""The watch: the monitor as the line needs it, one segment of records at a time.

A segment ends where a pane may close, so that whatever follows from a closed pane (learning pauses,
say) holds from the very next record on, however records are cut into batches. Within a segment
events are judged by the schema together, before any of them is predicted, and counted together
after it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from monitor.anomalies import Anomaly
from monitor.config import MonitorConfig
from monitor.counting import CheckedBatch
from monitor.drift import ConceptDrift
from monitor.layout import Layout
from monitor.monitor import Monitor
from monitor.observation import ClosedPane
from monitor.reference import Reference
from monitor.schema import Schema
from monitor.trigger import State
from stream.events import Event, Features, Rejected
from stream.labels import Label
from stream.learner import Prediction, all_plain, plain
from stream.records import Offsets
from stream.sections import Task
from stream.watching.findings import Finding
from stream.watching.first_events import FEWEST, FirstEvent, FirstEvents
from stream.watching.groups import Groups, rejected
from stream.watching.labelled import Labelled, Performances
from stream.watching.leads import Leads
from stream.watching.pane_row import PaneRow, pane_row
from stream.watching.totals import Totals

_DRIFTS = 20


class Noted(msgspec.Struct, frozen=True, gc=False):
    """An event that was no repeat.

    Parameters
    ----------
    row
        Its place among those judged together.
    event, value
        Itself, and its JSON.
    prediction
        What was said of it; None where nothing was.
    learned
        How many events the model had learned from.
    """

    row: int
    event: Event
    value: bytes
    prediction: Prediction
    learned: int


class Watch:
    """Judges events, counts them into panes, and remembers what was found.

    Parameters
    ----------
    config
        The monitor's.
    task
        What is predicted.
    version
        The model version that predicts.
    decode
        From an event's JSON to its features, as they were the first time.
    schema
        What events must be; without one it is inferred at the end of the warm-up.
    segments
        Features whose segments performance is kept for; default the first categorical ones with
        few categories.
    panes_kept
        Closed panes that wait for a checkpoint, at most; no more are stored.

    Attributes
    ----------
    decides
        Whether runs begin and end by it.
    monitor
        The statistics.
    groups, totals
        Anomalies, grouped; and what was counted.
    performances
        How well the model does, by its labels and without them.
    first
        The events of the warm-up.
    noted
        Events that were no repeats, since the segment began: the line appends them.
    rows, reference
        Panes that closed, and the reference where it was made anew, since the last checkpoint.
    """

    decides = True

    def __init__(
        self,
        config: MonitorConfig,
        task: Task,
        version: str,
        *,
        decode: Callable[[bytes], Features],
        schema: Schema | None = None,
        segments: Sequence[str] | None = None,
        panes_kept: int = 10_000,
    ) -> None:
        self.config = config
        self.task = task
        self.version = version
        self.given_schema = schema
        self.monitor = Monitor(config, schema=schema)
        self.groups = Groups()
        self.totals = Totals()
        self.performances = Performances(task, config.warmup_events, segments)
        self.first = FirstEvents()
        self.rows: deque[PaneRow] = deque(maxlen=panes_kept)
        self.last: PaneRow | None = None
        self.reference: Reference | None = None
        self.drifts: list[ConceptDrift] = []
        self.recent_drifts: list[ConceptDrift] = []
        self._offsets: dict[str, int] = {}
        self._decode = decode
        self._batch: CheckedBatch | None = None
        self.noted: list[Noted] = []

    def more(self) -> bytes:
        """Return what a kind of watch remembers beside all that any does."""
        return b""

    def restore_more(self, data: bytes) -> None:
        """Become what ``more`` said."""

    def also(self) -> dict[str, Any]:
        """Return what a kind of watch shows in its summary beside all that any does."""
        return {}

    @property
    def is_halted(self) -> bool:
        """Whether learning pauses."""
        return self.monitor.trigger.state is State.HALTED

    @property
    def is_warm(self) -> bool:
        """Whether there is a reference to compare with."""
        return self.monitor.reference is not None

    def segment(self, decoded: Sequence[object], start: int) -> int:
        """Return where the segment ends that begins at ``start``: behind its last record.

        Parameters
        ----------
        decoded
            Events, label messages and rejections, in order.
        start
            The first of the segment.
        """
        places = [i for i in range(start, len(decoded)) if isinstance(decoded[i], Event)]
        recorder = self.monitor.recorder
        if recorder is None:
            events = self.config.warmup_events - len(self.first.events)
        else:
            times = [decoded[i].time / 1000 for i in places]  # type: ignore[attr-defined]
            events = recorder.until_close(np.array(times, dtype=np.float64))
        return places[events - 1] + 1 if events <= len(places) else len(decoded)

    def judge(self, events: Sequence[Event]) -> list[Rejected | None]:
        """Return why each event must not be used, or None. Begins a segment."""
        self._batch = batch = self.monitor.check([event.features for event in events])
        if not batch.anomalies:
            return [None] * len(events)
        return [
            rejected(batch.anomalies[row]) if wrong else None
            for row, wrong in enumerate(batch.errors.tolist())
        ]

    def close(self, offsets: Offsets, labelled: Sequence[Labelled]) -> list[Finding]:
        """End a segment: count what was noted, and return what was found.

        Parameters
        ----------
        offsets
            Behind the segment.
        labelled
            Labels that met their prediction in it, in order.
        """
        self._offsets = {str(place): offset for place, offset in offsets.items()}
        noted, self.noted, batch, self._batch = self.noted, [], self._batch, None
        if not noted or batch is None:
            return self._labelled(labelled) if self.is_warm else self._warm_up([], [], labelled)
        if len(noted) < batch.rows:  # repeats are no part of a pane
            batch = self.monitor.check([one.event.features for one in noted])
        self.totals.events += batch.rows
        self._note(noted, batch)
        if not self.is_warm:
            return self._warm_up(noted, batch.errors.tolist(), labelled)
        return self._count(noted, batch, labelled)

    def correct(self, schema: Schema, time: int) -> list[Finding]:
        """Go on with a schema that a person changed; a halt ends.

        Parameters
        ----------
        schema
            The corrected one.
        time
            Event time in milliseconds.
        """
        self.given_schema = schema
        actions = self.monitor.correct(schema, time / 1000)
        return [Finding("schema", time, actions=tuple(a.value for a in actions))]

    def promote(self, reference: Reference) -> None:
        """Go on with the reference of a model that was promoted just now."""
        self.monitor.promote(reference)
        self.reference = reference
        self.recent_drifts = []
        self.performances.outlook.begin_anew()
        self.leads.begin_anew()
        self.leads.answered = 0.0

    @property
    def leads(self) -> Leads:
        """The lead over the baselines and over the estimate."""
        return self.performances.leads

    def mark_committed(self) -> None:
        """Take note that the fresh panes, reference and first events were written."""
        self.first.committed()
        self.rows.clear()
        self.reference = None

    def _note(self, noted: Sequence[Noted], batch: CheckedBatch) -> None:
        """Add up what is wrong with events."""
        self.totals.errors += int(batch.errors.sum())
        for row in sorted(batch.anomalies):  # they were found column by column
            self._add_anomalies(batch.anomalies[row], noted[row].event.time)

    def _labelled(self, labelled: Sequence[Labelled]) -> list[Finding]:
        """Score labels that met their prediction."""
        drifts = self.performances.labelled(labelled, self.monitor)
        self.drifts += drifts
        return [Finding("concept_drift", round(d.at_time * 1000), drift=d) for d in drifts]

    def _warm_up(
        self, noted: Sequence[Noted], wrong: Sequence[bool], labelled: Sequence[Labelled]
    ) -> list[Finding]:
        """Keep the events that may be learned from; with enough of them, make the reference."""
        first = self.first
        if len(first.labels) < self.config.warmup_events:
            first.labels += [row.label for row in labelled]
        first.events += [
            FirstEvent(one.value, plain(self.task, one.prediction), one.learned)
            for one, is_wrong in zip(noted, wrong, strict=True)
            if not is_wrong
        ]
        if len(first.events) < self.config.warmup_events:
            return []
        labels = first.labels if len(first.labels) >= FEWEST else None
        self.monitor.fit(
            [self._decode(event.value) for event in first.events],
            predictions=first.predictions(),
            labels=None if labels is None else all_plain(self.task, labels),
        )
        first.clear()
        self.reference = self.monitor.reference
        return [Finding("reference", noted[-1].event.time)]

    def _count(
        self, noted: list[Noted], batch: CheckedBatch, labelled: Sequence[Labelled]
    ) -> list[Finding]:
        """Count events and labels; the event that opens a pane of event time is the first in it."""
        said = [one.prediction for one in noted]
        times = [one.event.time / 1000 for one in noted]
        before, own = len(noted), len(labelled)
        if self._opens_a_pane(times):
            before -= 1
            if labelled and labelled[-1].features is noted[-1].event.features:
                own -= 1
        findings = self._labelled(labelled[:own])
        self.performances.predicted([one for one in said[:before] if one is not None])
        findings += self._closed_panes(batch, times, all_plain(self.task, said))
        self.performances.predicted([one for one in said[before:] if one is not None])
        return findings + self._labelled(labelled[own:])

    def _opens_a_pane(self, times: Sequence[float]) -> bool:
        recorder = self.monitor.recorder
        if recorder is None or recorder.config.seconds is None:
            return False
        return recorder.until_close(np.array(times, dtype=np.float64)) <= len(times)

    def _closed_panes(
        self, batch: CheckedBatch, times: Sequence[float], said: list[Label | None]
    ) -> list[Finding]:
        panes = self.monitor.count(batch, times, predictions=said)
        return [self._closed(closed) for closed in panes]

    def _closed(self, closed: ClosedPane) -> Finding:
        """Remember a closed pane."""
        time = round(closed.pane.last * 1000)
        self._add_anomalies(closed.anomalies, time)
        layout = self.monitor.recorder.layout if self.monitor.recorder else Layout(())
        scores = self.performances.close_pane()
        before = self.last
        self.recent_drifts = (self.recent_drifts + self.drifts)[-_DRIFTS:]
        self.last = pane_row(closed, layout, self.version, scores, self.drifts, self._offsets)
        self.rows.append(self.last)
        self.totals.add_pane(self.last, self._features)
        self.drifts = []
        return Finding("pane", time, pane=self.last, before=before)

    @property
    def _features(self) -> tuple[str, ...]:
        return self.monitor.schema.names if self.monitor.schema else ()

    def _add_anomalies(self, anomalies: Sequence[Anomaly], time: int) -> None:
        self.groups.add(anomalies, time)
        self.totals.add_anomalies(anomalies, self._features)
