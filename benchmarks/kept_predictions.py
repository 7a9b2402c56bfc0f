"""What keeping the newest predictions in the store costs the line.

The same events, in turn with `predictions.keep` = 0 and with its default, in one process; processor
time, since the machine is shared. The median of the ratios of neighbours.
"""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.end_to_end import produce
from benchmarks.streams import PIPELINES, config
from stream.build import line_factory
from stream.clock import SystemClock
from stream.log import Log
from stream.logs.open_log import open_log
from stream.sections import PredictionsSection
from stream.storage.store import Store
from stream.worker import open_worker


def run(log: Log, name: str, events: int, keep: int) -> tuple[float, float, int]:
    """Return processor seconds and wall seconds of a run, and the checkpoints it made."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline = next(iter(PIPELINES.values()))
        settings = config(log.url, f"sqlite:///{folder}/store.db", pipeline, name)
        settings = settings.model_copy(update={"predictions": PredictionsSection(keep=keep)})
        store = Store(settings.stream.store, name)
        worker = open_worker(settings, log, store, line_factory(settings), SystemClock())
        worker.start()
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        worker.run(lambda: False, until_caught_up=True)
        spent = time.process_time() - cpu, time.perf_counter() - wall - worker.telemetry.idle
        assert worker.line.counts.learned == events
        newest = store.newest()
        store.close()
        return *spent, 0 if newest is None else newest.number


def compare(events: int = 100_000, repeats: int = 5) -> list[dict[str, Any]]:
    """Return one row for each setting.

    Parameters
    ----------
    events
        On the embedded log.
    repeats
        Runs of each, in turn.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = open_log(f"sqlite:///{Path(folder) / 'log.db'}")
        name = f"bench-{time.time_ns()}"
        produce(log, name, events)
        settings = (0, PredictionsSection().keep)
        run(log, name, events, 0)
        seen: dict[int, list[tuple[float, float, int]]] = {keep: [] for keep in settings}
        for repeat in range(repeats):
            for keep in settings if repeat % 2 else reversed(settings):
                seen[keep].append(run(log, name, events, keep))
        log.close()
    without = [cpu for cpu, _, _ in seen[0]]
    return [
        {
            "predictions.keep": keep,
            "events": events,
            "cpu_microseconds_an_event": round(median(cpu for cpu, *_ in runs) / events * 1e6, 2),
            "events_per_second": round(median(events / wall for _, wall, _ in runs)),
            "checkpoints": round(median(number for *_, number in runs)),
            "cpu_ratio": round(
                median(cpu / base for (cpu, *_), base in zip(runs, without, strict=True)), 4
            ),
        }
        for keep, runs in seen.items()
    ]


if __name__ == "__main__":
    for row in compare():
        print(row)
