"""The watch of one shard: it judges and counts; what follows from that is decided for the stream.

It keeps its first events until the reference of the stream comes. Those that are no part of it are
counted then, so that the panes do not depend on when it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from monitor.arrays import FloatArray
from monitor.counting import CheckedBatch
from monitor.drift import ConceptDrift
from monitor.monitor import Monitor
from monitor.observation import ClosedPane
from monitor.panes import Pane
from monitor.signals import Signals
from monitor.trigger import State, TriggerState
from stream.events import Event
from stream.labels import Label
from stream.watching.findings import Finding
from stream.watching.kept_events import KeptEvent, KeptEvents, KeptLabel, room_for
from stream.watching.labelled import Labelled, Performances
from stream.watching.pane_row import LOSSES_MAX, PaneLosses, pack_scores
from stream.watching.stream_reference import StreamReference
from stream.watching.watch import Noted, Watch


class _More(msgspec.Struct):
    left_out: int
    losses: PaneLosses
    waiting: StreamReference | None
    partition: int


class ShardWatch(Watch):
    """A watch that decides nothing; parameters as for ``Watch``.

    Attributes
    ----------
    waiting
        A reference that came before all of the events that it is made of: they are read again.
    """

    decides = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.first: KeptEvents = KeptEvents(room_for(self.config.warmup_events))  # type: ignore[assignment]
        self.performances: _Performances = _Performances(
            self.task, self.config.warmup_events, options.get("segments")
        )
        self.waiting: StreamReference | None = None
        self._partition = 0

    def segment(self, decoded: Sequence[object], start: int) -> int:
        """Return where the segment ends that begins at ``start``: behind its last record."""
        if self.is_warm:
            return super().segment(decoded, start)
        if self.waiting is None:
            return len(decoded)
        wanted = self.waiting.seen_of(self._partition).events - len(self.first.events)
        places = [i for i in range(start, len(decoded)) if isinstance(decoded[i], Event)]
        return places[wanted - 1] + 1 if wanted <= len(places) else len(decoded)

    def adopt(self, found: StreamReference, partition: int) -> bool:
        """Compare with the stream's reference from now on; count what was kept and is not in it.

        Parameters
        ----------
        found
            The reference.
        partition
            The shard's.

        Returns
        -------
        bool
            Whether it began. A shard that was put back reads its first events again before.
        """
        if self.is_warm:
            return False
        self._partition = partition
        if len(self.first.events) < found.seen_of(partition).events:
            self.waiting = found
            return False
        self._begin(found)
        return True

    def close_below(self, key: int) -> None:
        """Close the open pane of event time if it is before a number; later events count there."""
        recorder = self.monitor.recorder
        if recorder is None or recorder.config.seconds is None:
            return
        if recorder.key is not None and recorder.key >= key:
            return
        if recorder.open.events:
            self._closed(self._undecided(recorder.close()))
        recorder.key = key

    def follow(self, state: State) -> None:
        """Pause learning where the stream is halted, and go on where it is not."""
        self.monitor.trigger.memory = TriggerState(state=state)

    def more(self) -> bytes:
        """Return what it remembers beside all that any watch does."""
        losses = self.performances.losses()
        return msgspec.msgpack.encode(
            _More(self.first.left_out, losses, self.waiting, self._partition)
        )

    def restore_more(self, data: bytes) -> None:
        """Become what ``more`` said."""
        more = msgspec.msgpack.decode(data, type=_More)
        self.first.left_out, self.waiting = more.left_out, more.waiting
        self._partition = more.partition
        self.performances.restore_losses(more.losses)

    def also(self) -> dict[str, Any]:
        """Return where it is on the axis of event time, and what it had no room for."""
        recorder = self.monitor.recorder
        key = None if recorder is None else recorder.key
        return {"pane_key": key, "left_out": self.first.left_out}

    def _warm_up(
        self, noted: Sequence[Noted], wrong: Sequence[bool], labelled: Sequence[Labelled]
    ) -> list[Finding]:
        self.first.add(noted, wrong, labelled)
        found = self.waiting
        if found is None or len(self.first.events) < found.seen_of(self._partition).events:
            return []
        return self._begin(found)

    def _closed_panes(
        self, batch: CheckedBatch, times: Sequence[float], said: list[Label | None]
    ) -> list[Finding]:
        panes = self.monitor.record(batch, times, predictions=said)
        return [self._closed(self._undecided(pane)) for pane in panes]

    def _undecided(self, pane: Pane) -> ClosedPane:
        return ClosedPane(self.totals.panes, pane, (), None, Signals(), State.OK, ())

    def _begin(self, found: StreamReference) -> list[Finding]:
        schema, reference = found.read()
        self.monitor.schema = self.given_schema or schema
        self.monitor.promote(reference)
        self.reference, self.waiting = reference, None
        kept, partition = self.first, self._partition
        events, places, met = kept.events, kept.label_places(), kept.met
        left_out = kept.left_out
        rest = [
            (place, event)
            for place, event in enumerate(events)
            if not found.has(event, partition, place)
        ]
        labels: dict[int, list[KeptLabel]] = {}
        later = [place for place, _ in rest]
        for number, (label, behind) in enumerate(zip(met, places, strict=True)):
            is_in_it = (
                found.has(events[label.place], partition, label.place)
                if label.place >= 0
                else found.has_label(label, partition, number)
            )
            if not is_in_it and later:
                at = int(np.searchsorted(later, behind))
                labels.setdefault(later[min(at, len(later) - 1)], []).append(label)
        kept.clear()
        kept.left_out = left_out
        self._count_kept(rest, labels)
        return [Finding("reference", events[-1].time)] if events else []

    def _count_kept(
        self, rest: list[tuple[int, KeptEvent]], labels: dict[int, list[KeptLabel]]
    ) -> None:
        recorder, carried = self.monitor.recorder, list[Labelled]()
        while rest and recorder is not None:
            times = np.array([event.time / 1000 for _, event in rest], dtype=np.float64)
            part = rest[: recorder.until_close(times)]
            rest = rest[len(part) :]
            features = [self._decode(event.value) for _, event in part]
            batch = self.monitor.check(features)
            wrong = batch.errors.tolist()
            noted = [
                Noted(
                    row,
                    Event("", event.time, features[row], None, None),
                    event.value,
                    None if wrong[row] else event.said,
                    event.learned,
                )
                for row, (_, event) in enumerate(part)
            ]
            labelled, carried = carried, []
            for row, (place, _) in enumerate(part):
                for label in labels.get(place, []):
                    if label.place == place and not wrong[row]:
                        labelled.append(label.labelled(features[row]))
                    elif label.place < 0 and row == len(part) - 1:  # it came behind this event
                        carried.append(label.labelled(label.features))
                    elif label.place < 0:
                        labelled.append(label.labelled(label.features))
            if self.given_schema is None:  # what an inferred one refuses was not noted before
                self._note(noted, batch)
            self._count(noted, batch, labelled)
        if carried:
            self._labelled(carried)


class _Performances(Performances):
    """Also keeps the single losses of the open pane, for the test of the stream's."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._labels = 0
        self._losses: list[float] = []
        self._times: list[float] = []

    def losses(self) -> PaneLosses:
        """Return the losses since the last pane closed."""
        return PaneLosses.of(self._labels, np.array(self._losses), np.array(self._times))

    def restore_losses(self, found: PaneLosses) -> None:
        """Become what ``losses`` said."""
        losses, times = found.arrays()
        self._labels, self._losses, self._times = found.labels, losses.tolist(), times.tolist()

    def close_pane(self) -> bytes:
        """Begin a new pane, and return the scores of the last one; see ``pack_scores``."""
        since, self.since_pane = self.since_pane, type(self.since_pane)()
        beside, self.beside_since_pane = self.beside_since_pane, type(self.beside_since_pane)()
        losses = self.losses()
        self.restore_losses(PaneLosses())
        return pack_scores(since, self.outlook.close_pane(), beside, losses)

    def _observe(
        self,
        labels: list[Label | None],
        times: Sequence[float],
        lost: FloatArray,
        monitor: Monitor,
    ) -> tuple[ConceptDrift, ...]:
        monitor.observe_labels(labels, times)
        room = max(0, LOSSES_MAX - len(self._losses))
        self._labels += len(lost)
        self._losses += lost[:room].tolist()
        self._times += times[:room]
        return ()
