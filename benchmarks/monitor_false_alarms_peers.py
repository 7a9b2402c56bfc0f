"""Alarms of the monitor and of its peers on the same streams, in which nothing changes.

Every side sees the same values: a reference of 10,000 rows, then panes of 1,000, each with an
answer. An alarm is one of any feature; Evidently also says `dataset drift` when half of them are
in alarm. Peers have their defaults. Evidently's default test changes with the reference: one of at
most 1,000 rows is tested by p-value (Kolmogorov-Smirnov, chi-square), so it was also given the last
1,000 rows only. A peer saw the first 20 panes of a stream at most, and of fewer streams: see
`peers_panes`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.monitor_environments import Peer
from benchmarks.monitor_streams import PANE, SOURCES, Stream, autocorrelated, independent
from monitor import Monitor

Counts = dict[str, list[float]]
SIZES = {5: (6, 20), 50: (2, 16), 500: (1, 5)}  # features: streams, panes each
TESTS = ("wasserstein", "js")
PHI = (0.0, 0.5, 0.9, 0.99)


def ours(counts: Counts, stream: Stream) -> None:
    """Add what the monitor, with its defaults, says of each pane, and by which test."""
    monitor = Monitor().fit(stream.columns(stream.reference))
    for pane in monitor.observe(stream.columns(stream.current)).panes:
        columns = pane.report.columns if pane.report else ()
        by = {column.test for column in columns if column.status == "ALARM"}
        counts.setdefault("ours", []).append(bool(by))
        for test in TESTS:
            counts.setdefault(test, []).append(test in by)


def peer_alarms(counts: Counts, peers: dict[str, Peer], stream: Stream) -> None:
    """Add what the peers say of each pane of a stream."""
    short = replace(stream, reference=stream.reference[-PANE:])
    for name, peer, seen in (
        ("evidently", peers["evidently"], stream),
        ("evidently_1000", peers["evidently"], short),
        ("nannyml", peers["nannyml"], stream),
    ):
        answer = peer.alarms(seen, PANE)
        if "error" not in answer:
            found = np.array(answer["alarms"])
            counts.setdefault(name, []).extend(found.any(axis=1))
            if name == "evidently":
                counts.setdefault("dataset", []).extend(found.mean(axis=1) >= 0.5)


def _table(
    first: dict[str, Any],
    streams: Iterable[Callable[[], Stream]],
    peers: dict[str, Peer],
    with_peers: int,
) -> dict[str, Any]:
    counts: Counts = {}
    for at, make in enumerate(streams):
        stream = make()
        ours(counts, stream)
        if at < with_peers:
            # A peer's answer takes longer, and its rate shows in fewer panes.
            short = replace(stream, current=stream.current[: 20 * PANE])
            peer_alarms(counts, peers, short)
    return {
        **first,
        "riverrun": _share(counts, "ours"),
        "by Wasserstein": _share(counts, TESTS[0]),
        "by JS": _share(counts, TESTS[1]),
        "Evidently": _share(counts, "evidently"),
        "Evidently, dataset drift": _share(counts, "dataset"),
        "Evidently, 1,000-row reference": _share(counts, "evidently_1000"),
        "NannyML": _share(counts, "nannyml"),
        "panes": len(counts["ours"]),
        "peers_panes": len(counts.get("nannyml", counts.get("evidently", []))),
    }


def _share(counts: Counts, name: str) -> str:
    found = counts.get(name)
    return f"{100 * np.mean(found):.2f} %" if found else "failed"


def on_independent(peers: dict[str, Peer], share: float, features_max: int) -> list[dict[str, Any]]:
    """Return alarms per pane on independent streams.

    Parameters
    ----------
    peers
        By name.
    share
        Of the streams that a full run takes, at least one.
    features_max
        Wider streams are left out.
    """
    result = []
    for source in SOURCES:
        for features, (full, panes) in SIZES.items():
            if features > features_max:
                continue
            sys.stderr.write(f"false alarms beside peers: {features} {source}\n")
            used = max(1, round(full * share))
            makes = [
                lambda s=source, f=features, p=panes, seed=seed: independent(s, f, p, 100 + seed)
                for seed in range(used)
            ]
            first = {"stream": source, "features": features}
            result.append(_table(first, makes, peers, used))
    return result


def on_autocorrelated(peers: dict[str, Peer], share: float) -> list[dict[str, Any]]:
    """Return alarms per pane on 5 autocorrelated columns, with references of 10 and 64 panes.

    Parameters
    ----------
    peers, share
        As for `on_independent`.
    """
    result = []
    for phi in PHI:
        for rows in (10 * PANE, 64 * PANE):
            sys.stderr.write(f"false alarms beside peers: AR {phi}, reference of {rows}\n")
            used, panes = max(2, round(10 * share)), 200 if share >= 1 else 100
            makes = [
                lambda p=phi, r=rows, n=panes, seed=seed: autocorrelated(p, r, n, 200 + seed)
                for seed in range(used)
            ]
            first = {"correlation": f"AR {phi:g}", "reference_rows": rows}
            result.append(_table(first, makes, peers, max(1, round(3 * share))))
    return result
