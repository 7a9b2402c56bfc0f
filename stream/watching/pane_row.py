"""What is kept of each closed pane: its counts, its scores, and what the monitor said about it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.drift import ConceptDrift
from monitor.estimate import LEVELS
from monitor.layout import Layout, Role
from monitor.observation import ClosedPane
from monitor.performance import Performance
from stream.watching.beside import Beside

_NONE_BESIDE = Beside()
LOSSES_MAX = 20_000
"""Single losses of one pane of a shard that go to the stream's test of the loss."""

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


class PaneLosses(msgspec.Struct, frozen=True):
    """The single losses of a pane of one shard, which the whole stream's loss is watched by.

    Parameters
    ----------
    labels
        Labels that came while the pane was open; losses beyond ``LOSSES_MAX`` are left out.
    losses, times
        Little-endian doubles: the losses, and their events' times in seconds.
    """

    labels: int = 0
    losses: bytes = b""
    times: bytes = b""

    @classmethod
    def of(cls, labels: int, losses: FloatArray, times: FloatArray) -> PaneLosses:
        """Pack losses and times, shape (losses,) both."""
        return cls(labels, losses.astype("<f8").tobytes(), times.astype("<f8").tobytes())

    def arrays(self) -> tuple[FloatArray, FloatArray]:
        """Return losses and times, shape (losses,) both."""
        return np.frombuffer(self.losses, "<f8"), np.frombuffer(self.times, "<f8")


_NO_LOSSES = PaneLosses()


class _Scores(msgspec.Struct, omit_defaults=True):
    performance: dict[str, Any]
    confidences: list[tuple[int, int, int, int]]
    beside: Beside = Beside()
    losses: PaneLosses = PaneLosses()


def pack_scores(
    performance: Performance,
    confidences: IntArray,
    beside: Beside = _NONE_BESIDE,
    losses: PaneLosses = _NO_LOSSES,
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
    losses
        Of a shard's pane, one by one.
    """
    levels = np.flatnonzero(confidences.any(axis=0)).tolist()
    sparse = [(level, *confidences[:, level].tolist()) for level in levels]
    scores = _Scores(performance.to_data(), sparse, beside, losses)
    return zlib.compress(msgspec.msgpack.encode(scores), 1)


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
    stored = _unpacked(data)
    confidences = np.zeros((3, LEVELS), dtype=np.int64)
    for level, *three in stored.confidences:
        confidences[:, level] = three
    return Performance.from_data(stored.performance), confidences, stored.beside


def unpack_losses(data: bytes) -> PaneLosses:
    """Return the single losses in what ``pack_scores`` returned.

    Raises
    ------
    ValueError
        Not such bytes.
    """
    return _unpacked(data).losses


def _unpacked(data: bytes) -> _Scores:
    try:
        return msgspec.msgpack.decode(zlib.decompressobj().decompress(data, _LARGEST), type=_Scores)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(f"damaged scores of a pane: {error}") from error
