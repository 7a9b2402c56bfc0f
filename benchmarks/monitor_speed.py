"""CPU seconds of one report: 50 numeric features, 10,000 reference and 10,000 current rows.

All sides have the same arrays in memory and run in turn, each in its own process, once unmeasured
before that; medians of CPU time are compared, as other work on the machine changes it least. The
peers' linear algebra has one thread, since others that wait for work would count. Imports are not
counted. Our report describes its columns when they are asked for, which is counted. Evidently's
report prepares its plots too, so the tests of its preset are also timed without the report, as no
user would run them.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from benchmarks.monitor_environments import Peer, files
from benchmarks.monitor_streams import Stream
from monitor import Monitor

FEATURES, ROWS, CHUNKS = 50, 10_000, 20
Times = dict[str, list[float]]

OURS = "riverrun: fit and compare"
COMPARE = "riverrun: compare, reference at hand"
REPORT = "Evidently: DataDriftPreset"
TESTS = "Evidently: the preset's 50 tests alone"
FIT = "NannyML: univariate Jensen-Shannon, fit"
CALCULATE = f"NannyML: the same, calculate {CHUNKS} chunks"


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return CPU seconds, and what the work returned."""
    gc.collect()
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def compare(peers: dict[str, Peer], repeats: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each side, and the settings that Evidently chose.

    Parameters
    ----------
    peers
        By name.
    repeats
        Runs of each, in turn.
    """
    rng = np.random.default_rng(50)
    shape = (ROWS, FEATURES)
    stream = Stream(rng.standard_normal(shape), rng.standard_normal(shape))
    known, current = stream.columns(stream.reference), stream.columns(stream.current)
    times: Times = {}
    why: dict[str, str] = {}
    methods: list[str] = []
    with files(stream) as paths:
        for repeat in range(repeats + 1):
            sys.stderr.write(f"speed: repeat {repeat} of {repeats}\n")
            fit, fitted = timed(lambda: Monitor().fit(known))
            spent, _ = timed(lambda m=fitted: m.compare(current).columns)
            found = {OURS: fit + spent, COMPARE: spent}
            found |= _evidently(peers["evidently"], paths, why, methods)
            found |= _nannyml(peers["nannyml"], paths, why)
            for name, seconds in found.items():
                # The first round warms up both sides.
                times.setdefault(name, []).extend([seconds] if repeat else [])
    names = (OURS, COMPARE, REPORT, TESTS, FIT, CALCULATE)
    return [_row(name, times, why) for name in names], methods


def _evidently(
    peer: Peer, paths: dict[str, Any], why: dict[str, str], methods: list[str]
) -> dict[str, float]:
    report, tests = peer.ask("report", **paths), peer.ask("tests", **paths)
    if "error" in report:
        why[REPORT] = why[TESTS] = report["error"]
        return {}
    methods[:] = report["methods"]
    found = {REPORT: report["seconds"]}
    if "error" in tests or tests["values"] != report["values"]:
        why[TESTS] = tests.get("error", "scores differ from the report's")
    else:
        found[TESTS] = tests["seconds"]
    return found


def _nannyml(peer: Peer, paths: dict[str, Any], why: dict[str, str]) -> dict[str, float]:
    answer = peer.ask("report", **paths, pane=ROWS // CHUNKS)
    if "error" in answer:
        why[FIT] = why[CALCULATE] = answer["error"]
        return {}
    return {FIT: answer["fit_seconds"], CALCULATE: answer["seconds"]}


def _row(name: str, times: Times, why: dict[str, str]) -> dict[str, Any]:
    if not times.get(name):
        return {"side": name, "times_ours": why.get(name, "failed"), "seconds": "", "range": ""}
    seconds, ours = times[name], times[OURS]
    ratios = [theirs / own for theirs, own in zip(seconds, ours, strict=True)]
    return {
        "side": name,
        "times_ours": round(median(ratios), 2),
        "seconds": round(median(seconds), 4),
        "range": f"{min(seconds):.4f} to {max(seconds):.4f}",
    }
