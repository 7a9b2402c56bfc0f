"""Power: how many panes after a change an alarm comes, and how often it does not.

Five columns (three normal, one of them with gaps; a t of 3 degrees of freedom; a category out of
ten), a reference of 10,000 rows, 16 calm panes of 1,000, then a change of one column (for the
correlation, of two) and 32 panes in which it may be found. Gradual: over 16 panes a growing share
of events has the new law. Recurring: on for 4 panes, off for 4. A delay of 1 is the first pane of
the change. A cell is the median delay and, in brackets, the share of runs that missed the change;
`-` where at least half did. Every side saw the same events, and alarms when any of its features
does; an alarm by chance counts as found, so a delay is to be read beside the false alarms of the
first table. Winners are named in leagues by these, with the least mean delay (a miss counts as 33,
ties are within 0.1) among those that miss less than half; `none` where all do. ADWIN and KSWIN run
on each feature, a category being its number and a missing value nothing at all. `NannyML missing`
and `NannyML PCA` are its calculators of missing values and of reconstruction error. `riverrun (1
per 20)` has a budget of 1 per 20 panes; `riverrun (missing rate)` is the schema's warning, which
has no budget.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import Any

import numpy as np

from benchmarks.monitor_detectors import (
    BASELINES,
    NAMES,
    OURS,
    Answers,
    adwin,
    baselines,
    calm_of,
    kswin,
    of_peers,
    ours,
)
from benchmarks.monitor_environments import Peer
from benchmarks.monitor_shifts import AFTER, CALM, PATTERNS, SHIFTS, shifted

# Most false alarms per pane that a winner may have: three leagues.
LEAGUES = {"winner (<= 1 %)": 0.01, "winner (<= 10 %)": 0.1, "winner (<= 50 %)": 0.5}
TIE = 0.1  # panes
MISSED_MOST = 0.5
Found = dict[str, list[np.ndarray]]


def compare(
    peers: dict[str, Peer], repeats: int, slow_repeats: int, patterns: tuple[str, ...] = PATTERNS
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the table of power, and the one of false alarms on the calm panes of the same runs.

    Parameters
    ----------
    peers
        By name.
    repeats
        Runs of each row.
    slow_repeats
        Runs of each row in which KSWIN takes part.
    patterns
        Those of `PATTERNS` that are run.
    """
    cells: dict[tuple[str, str], Found] = {}
    for at, (shift, pattern) in enumerate((s, p) for s in SHIFTS for p in patterns):
        sys.stderr.write(f"power: {shift}, {pattern}\n")
        found: Found = {}
        for repeat in range(repeats):
            stream = shifted(shift, pattern, seed=1000 * at + repeat)
            answers: Answers = {**ours(stream), **of_peers(peers, stream), **adwin(stream)}
            if repeat < slow_repeats:
                answers |= kswin(stream)
            for name, answer in {**answers, **baselines()}.items():
                found.setdefault(name, []).append(answer)
        cells[shift, pattern] = found
    rates = false_alarms(cells)
    return [_row(*key, found, rates) for key, found in cells.items()], _rates_table(cells, rates)


def false_alarms(cells: dict[tuple[str, str], Found]) -> dict[str, float]:
    """Return alarms per calm pane, by detector."""
    return {
        name: float(np.mean([
            calm_of(name, run) for found in cells.values() for run in found.get(name, [])
        ]))
        for name in NAMES
        if any(name in found for found in cells.values())
    }  # fmt: skip


def _rates_table(
    cells: dict[tuple[str, str], Found], rates: dict[str, float]
) -> list[dict[str, Any]]:
    panes = {
        name: sum(
            calm_of(name, run).size for found in cells.values() for run in found.get(name, [])
        )
        for name in rates
    }
    return [
        {
            "detector": name,
            "false_alarms_per_pane": f"{100 * rate:.2f} %",
            "calm_panes": panes[name],
            "runs_a_row": max(len(found.get(name, [])) for found in cells.values()),
        }
        for name, rate in rates.items()
    ]


def delays(runs: list[np.ndarray]) -> list[float]:
    """Return for each run the panes up to its first alarm after the change; infinite if missed."""
    return [
        float(np.flatnonzero(run[CALM:])[0]) + 1 if run[CALM:].any() else np.inf for run in runs
    ]


def _row(shift: str, pattern: str, found: Found, rates: dict[str, float]) -> dict[str, Any]:
    waits = {name: delays(found[name]) for name in NAMES if name in found}
    result: dict[str, Any] = {"shift": shift, "pattern": pattern}
    for title, most in LEAGUES.items():
        eligible = [n for n in waits if rates[n] <= most and n not in BASELINES]
        result[title] = _winners(waits, eligible)
    return result | {name: _cell(waits.get(name)) for name in NAMES}


def _winners(waits: dict[str, list[float]], eligible: list[str]) -> str:
    """Name those with the least mean delay, a miss counting as one pane past the end."""
    means = {name: float(np.mean(np.minimum(waits[name], AFTER + 1))) for name in eligible}
    found = {n: m for n, m in means.items() if np.mean(np.isinf(waits[n])) < MISSED_MOST}
    if not found:
        return "none"
    best = min(found.values())
    first = [name for name, mean in found.items() if mean - best <= TIE]
    return ", ".join(f"**{name}**" if name == OURS else name for name in first)


def _cell(waits: list[float] | None) -> str:
    if not waits:
        return "failed"
    middle = median(waits)
    missed = round(100 * float(np.mean(np.isinf(waits))))
    shown = "-" if np.isinf(middle) else f"{middle:g}"
    return f"{shown} ({missed} %)"
