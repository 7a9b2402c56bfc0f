"""Everything that may say `changed` at the end of a pane, behind one kind of function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from river import drift

from benchmarks.monitor_environments import Peer
from benchmarks.monitor_shifts import AFTER, CALM
from benchmarks.monitor_streams import PANE, Stream
from monitor import Monitor, MonitorConfig
from monitor.config import SkewConfig

Answers = dict[str, np.ndarray]
OURS, LOOSE, SCHEMA = "riverrun", "riverrun (1 per 20)", "riverrun (missing rate)"
NEVER, ALWAYS, PERIODIC = "never", "always", "every 10th"
BASELINES = (NEVER, ALWAYS, PERIODIC)
NAMES = (
    OURS, LOOSE, SCHEMA, "Evidently", "NannyML", "NannyML missing", "NannyML PCA", "ADWIN",
    "KSWIN", *BASELINES,
)  # fmt: skip
# KSWIN takes 0.2 ms a value: it gets the end of the reference, and of the calm panes.
KSWIN_CALM = 1
KSWIN_KNOWN = 200


def baselines() -> Answers:
    """Return those that look at nothing."""
    panes = CALM + AFTER
    tenth = np.arange(panes) % 10 == 9
    return {NEVER: np.zeros(panes, bool), ALWAYS: np.ones(panes, bool), PERIODIC: tenth}


def ours(stream: Stream) -> Answers:
    """Return the monitor's value skew by default, at a looser budget, and its pane warnings."""
    known, current = stream.columns(stream.reference), stream.columns(stream.current)
    closed = Monitor().fit(known).observe(current).panes
    loose = Monitor(MonitorConfig(skew=SkewConfig(false_alarms="1 per 20 panes"))).fit(known)
    return {
        OURS: _drifted(closed),
        LOOSE: _drifted(loose.observe(current).panes),
        SCHEMA: np.array([bool(pane.anomalies) for pane in closed]),
    }


def _drifted(closed: Any) -> np.ndarray:
    return np.array([bool(pane.report and pane.report.drifted) for pane in closed])


def of_peers(peers: dict[str, Peer], stream: Stream) -> Answers:
    """Return what Evidently and NannyML say; those that failed are left out."""
    found: Answers = {}
    evidently = peers["evidently"].alarms(stream, PANE)
    nannyml = peers["nannyml"].alarms(stream, PANE, more=True)
    for name, answer, key in (
        ("Evidently", evidently, "alarms"),
        ("NannyML", nannyml, "alarms"),
        ("NannyML missing", nannyml, "missing"),
        ("NannyML PCA", nannyml, "pca"),
    ):
        if key in answer:
            found[name] = np.array(answer[key], dtype=bool).any(axis=1)
    return found


def adwin(stream: Stream) -> Answers:
    """Return the panes in which ADWIN, one a feature, found a change; it saw the reference too."""
    return {"ADWIN": _fed(stream.reference, stream.current, lambda _: drift.ADWIN())}


def kswin(stream: Stream) -> Answers:
    """Return the panes in which KSWIN did, up to its first alarm after the change.

    Panes that it was not given count as without an alarm: calm ones are cut off by `calm_of`, and
    those after the first are of no interest.
    """
    found = np.zeros(CALM + AFTER, bool)
    start = CALM - KSWIN_CALM
    known = stream.reference[-KSWIN_KNOWN:]
    current = stream.current[start * PANE :]
    make: Callable[[int], Any] = lambda at: drift.KSWIN(seed=at)  # noqa: E731
    found[start:] = _fed(known, current, make, stop_after=KSWIN_CALM)
    return {"KSWIN": found}


def calm_of(name: str, answers: np.ndarray) -> np.ndarray:
    """Return the answers before the change, of the panes that the detector saw."""
    return answers[CALM - KSWIN_CALM : CALM] if name == "KSWIN" else answers[:CALM]


def _fed(
    known: np.ndarray,
    current: np.ndarray,
    make: Callable[[int], Any],
    stop_after: int | None = None,
) -> np.ndarray:
    """Feed a detector for each feature, value by value; missing ones are left out."""
    detectors = [make(at) for at in range(known.shape[1])]
    found = np.zeros(len(current) // PANE, bool)
    for at, detector in enumerate(detectors):
        _feed(detector, known[:, at])
    for pane in range(len(found)):
        part = current[pane * PANE : (pane + 1) * PANE]
        alarms = [_feed(detector, part[:, at]) for at, detector in enumerate(detectors)]
        found[pane] = any(alarms)
        if stop_after is not None and pane >= stop_after and found[pane]:
            break
    return found


def _feed(detector: Any, values: np.ndarray) -> bool:
    found = False
    for value in values[~np.isnan(values)].tolist():
        detector.update(value)
        found = found or detector.drift_detected
    return found
