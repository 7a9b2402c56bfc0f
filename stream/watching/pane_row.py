"""What is kept of each closed pane: its counts, its scores, and what the monitor said about it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from monitor.arrays import IntArray
from monitor.drift import ConceptDrift
from monitor.estimate import LEVELS
from monitor.layout import Layout, Role
from monitor.observation import ClosedPane
from monitor.performance import Performance
from stream.watching.beside import Beside

_NONE_BESIDE = Beside()
_LARGEST = 1 << 26  # bytes of one pane's unpacked scores


class PaneAnomaly(msgspec.Struct, frozen=True):
    """Something wrong with a pane as a whole; see ``monitor.anomalies``."""

    kind: str
    feature: str
    severity: str
    found: str
    expected: str


class PaneSummary(msgspec.Struct, frozen=True):
    """What the monitor said when a pane closed.

    Parameters
    ----------
    state, actions
        The state machine after it, and what it wanted done.
    signals
        By name; 1 is the threshold of each but ``error_fraction``.
    ratios
        Largest distance over threshold of every column, in the order of the layout; None where
        there were too few values.
    alarms
        Role and name of the columns in alarm, the most suspicious first.
    anomalies
        Of the pane as a whole.
    drifts
        Changes of concept found while it was open.
    """

    state: str
    actions: list[str]
    signals: dict[str, float]
    ratios: list[float | None]
    alarms: list[tuple[Role, str]]
    anomalies: list[PaneAnomaly]
    drifts: list[ConceptDrift]


class PaneRow(msgspec.Struct, frozen=True):
    """One closed pane, as it is stored.

    Parameters
    ----------
    index
        Number of the pane, from 0; a rebuild begins anew.
    version
        The model version that predicted.
    layout
        Fingerprint of the layout of its counts.
    first, last
        Smallest and largest event time, in seconds since the epoch.
    events, errors
        How many events, and of these with an error of the schema.
    data
        Its counts: ``monitor.panes.Pane.to_bytes``.
    scores
        Performance and confidences of the labels that came while it was open; see ``pack_scores``.
    offsets
        Next offset by partition, behind the pane's last record.
    summary
        What was said.
    """

    index: int
    version: str
    layout: str
    first: float
    last: float
    events: int
    errors: int
    data: bytes
    scores: bytes
    offsets: dict[str, int]
    summary: PaneSummary


def pane_row(
    closed: ClosedPane,
    layout: Layout,
    version: str,
    scores: bytes,
    drifts: Sequence[ConceptDrift],
    offsets: dict[str, int],
) -> PaneRow:
    """Return the row of a pane that was closed."""
    pane, report = closed.pane, closed.report
    ratios: dict[tuple[Role, str], float] = {}
    alarms: list[tuple[Role, str]] = []
    if report is not None:
        ratios = report.ratios()
        alarms = [(b.role, b.name) for b in report.blame if b.alarm] if report.drifted else []
    named = [ratios.get((column.role, column.name)) for column in layout.columns]
    summary = PaneSummary(
        state=closed.state.value,
        actions=[action.value for action in closed.actions],
        signals={name: round(v, 6) for name, v in _signals(closed).items()},
        ratios=[None if ratio is None else round(ratio, 4) for ratio in named],
        alarms=alarms,
        anomalies=[
            PaneAnomaly(a.kind, a.feature, a.severity, a.found, a.expected)
            for a in closed.anomalies
        ],
        drifts=list(drifts),
    )
    return PaneRow(
        index=closed.index,
        version=version,
        layout=pane.layout,
        first=pane.first,
        last=pane.last,
        events=pane.events,
        errors=pane.errors,
        data=pane.to_bytes(),
        scores=scores,
        offsets=offsets,
        summary=summary,
    )


def _signals(closed: ClosedPane) -> dict[str, float]:
    signals = closed.signals
    return {name: float(getattr(signals, name)) for name in signals.__slots__}


class _Scores(msgspec.Struct):
    performance: dict[str, Any]
    confidences: list[tuple[int, int, int, int]]
    beside: Beside = Beside()


def pack_scores(
    performance: Performance, confidences: IntArray, beside: Beside = _NONE_BESIDE
) -> bytes:
    """Return a pane's scores as few bytes.

    Parameters
    ----------
    performance
        Of the labels that came while the pane was open.
    confidences
        Shape (3, ``LEVELS``), as ``Outlook.close_pane`` returns them.
    beside
        Losses of the model and the frozen one.
    """
    levels = np.flatnonzero(confidences.any(axis=0)).tolist()
    sparse = [(level, *confidences[:, level].tolist()) for level in levels]
    return zlib.compress(msgspec.msgpack.encode(_Scores(performance.to_data(), sparse, beside)), 1)


def unpack_scores(data: bytes) -> tuple[Performance, IntArray, Beside]:
    """Return what ``pack_scores`` was given.

    Raises
    ------
    ValueError
        Not such bytes. (``monitor.errors.DamagedError`` is one, too.)

    Examples
    --------
    >>> confidences = np.zeros((3, LEVELS), dtype=np.int64)
    >>> confidences[:, 7] = 3, 2, 1
    >>> found, same, _ = unpack_scores(pack_scores(Performance(predictions=3), confidences))
    >>> found.predictions, same[:, 7].tolist()
    (3, [3, 2, 1])
    """
    try:
        stored = msgspec.msgpack.decode(
            zlib.decompressobj().decompress(data, _LARGEST), type=_Scores
        )
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(f"damaged scores of a pane: {error}") from error
    confidences = np.zeros((3, LEVELS), dtype=np.int64)
    for level, *three in stored.confidences:
        confidences[:, level] = three
    return Performance.from_data(stored.performance), confidences, stored.beside
