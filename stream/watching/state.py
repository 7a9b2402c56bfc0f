"""A watch's state as bytes, and back; what only grows is written as changes."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.detectors import LossDetector
from monitor.drift import ConceptDrift
from monitor.monitor import Monitor
from monitor.performance import Performance
from monitor.reference import Reference
from stream.labels import Label
from stream.watching.beside import Beside
from stream.watching.leads import Leads
from stream.watching.pane_row import PaneRow
from stream.watching.totals import Totals
from stream.watching.watch import Watch


class _Stored(msgspec.Struct, omit_defaults=True):
    monitor: dict[str, Any]
    groups: bytes
    totals: Totals
    performance: dict[str, Any]
    since_pane: dict[str, Any]
    beside: Beside
    beside_since_pane: Beside
    outlook: bytes
    drifts: list[ConceptDrift]
    recent_drifts: list[ConceptDrift]
    leads: Leads
    last: PaneRow | None
    first_labels: list[Label]
    more: bytes = b""


def write_watch(watch: Watch) -> bytes:
    """Return the state of a watch between two segments; equal states give equal bytes.

    Not in it: the reference, the first events, and the River detector
    (``watch.monitor.concept.detector``), which has no form but its pickle.
    """
    stored = _Stored(
        monitor=watch.monitor.snapshot(with_reference=False),
        groups=watch.groups.to_data(),
        totals=watch.totals,
        performance=watch.performances.whole.to_data(),
        since_pane=watch.performances.since_pane.to_data(),
        beside=watch.performances.beside,
        beside_since_pane=watch.performances.beside_since_pane,
        outlook=watch.performances.outlook.to_data(),
        drifts=watch.drifts,
        recent_drifts=watch.recent_drifts,
        leads=watch.leads,
        last=watch.last,
        first_labels=watch.first.labels,
        more=watch.more(),
    )
    return msgspec.msgpack.encode(stored)


def restore_watch(
    watch: Watch,
    data: bytes,
    *,
    reference: Reference | None,
    detector: LossDetector | None,
    first: list[tuple[int, bytes]],
) -> None:
    """Make a fresh watch what it was.

    Parameters
    ----------
    watch
        Of the same configuration. A schema that it was given is gone on with, whatever the stored
        one was: a halt ends where they differ.
    data
        What ``write_watch`` returned.
    reference, detector
        As they were; a detector of another name than the configured one begins anew.
    first
        Chunks of first events with their numbers, oldest first.

    Raises
    ------
    monitor.errors.DamagedError
        Not such data.
    """
    stored = msgspec.msgpack.decode(data, type=_Stored)
    if detector is not None and detector.name != watch.config.concept.detector:
        detector = None
    watch.monitor = Monitor.restore(
        stored.monitor, watch.config, reference=reference, detector=detector
    )
    watch.groups.restore(stored.groups)
    watch.totals = stored.totals
    watch.performances.whole = Performance.from_data(stored.performance)
    watch.performances.since_pane = Performance.from_data(stored.since_pane)
    watch.performances.beside = stored.beside
    watch.performances.beside_since_pane = stored.beside_since_pane
    watch.performances.outlook.restore(stored.outlook)
    watch.performances.leads = stored.leads
    watch.drifts, watch.recent_drifts = stored.drifts, stored.recent_drifts
    watch.last = stored.last
    watch.first.restore(first, stored.first_labels)
    watch.restore_more(stored.more)
    if watch.given_schema is not None and watch.given_schema != watch.monitor.schema:
        watch.correct(watch.given_schema, round(watch.last.last * 1000) if watch.last else 0)


def write_reference(reference: Reference) -> bytes:
    """Return a reference as bytes."""
    return msgspec.json.encode(reference.to_data())


def read_reference(data: bytes) -> Reference:
    """Return what ``write_reference`` was given.

    Raises
    ------
    monitor.errors.DamagedError
        Not a reference.
    """
    return Reference.from_data(msgspec.json.decode(data))
