"""Events per second of each contestant over the same events, in turn, by the broker's clock."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import end_to_end
from benchmarks.peers.contestants import (
    CONTESTANTS,
    RIVERRUN,
    Contestant,
    Task,
    started,
)
from benchmarks.peers.environments import python_of
from benchmarks.peers.topics import StalledError, Topics
from benchmarks.processes import cpu_seconds
from benchmarks.streams import PIPELINES, rows

_LABELLED = 500
"""Events with a label in the task that only predicts: so that there is a model that has learned."""


class Race:
    """All contestants on one broker.

    Parameters
    ----------
    topics
        Of the broker.
    only
        Parts of titles; others are left out. Empty: everybody.
    """

    def __init__(self, topics: Topics, only: list[str]) -> None:
        self._topics = topics
        self._runs = 0
        self.contestants = [
            who for who in CONTESTANTS if not only or any(part in who.title for part in only)
        ]
        for who in self.contestants:
            if python_of(who.environment) is None:
                sys.stderr.write(f"{who.title}: left out; --install makes its environment\n")
        self.contestants = [who for who in self.contestants if python_of(who.environment)]

    def compare(
        self, pipeline: str, count: int, repeats: int, is_learning: bool
    ) -> list[dict[str, Any]]:
        """Return a row for each contestant, ratios first.

        Parameters
        ----------
        pipeline
            A key of ``benchmarks.streams.PIPELINES``.
        count
            Events of the fastest.
        repeats
            Runs of each, in turn.
        is_learning
            Whether all events have labels, or only the first.
        """
        events = list(rows(count))
        if not is_learning:
            for event in events[_LABELLED:]:
                del event["label"]
        name = f"peers-{time.time_ns()}"
        self._topics.create(f"{name}.events")
        self._topics.fill(f"{name}.events", events)
        known = [(_features(event), event["label"]) for event in rows(count)]
        expression = PIPELINES[pipeline]
        timed = [
            who
            for who in self.contestants
            if who.is_timed and (who.takes_any_pipeline or pipeline == next(iter(PIPELINES)))
        ]
        bares: list[float] = []
        seen: dict[str, list[dict[str, float] | None]] = {who.title: [] for who in timed}
        for _ in range(repeats):
            bares.append(end_to_end.bare(expression, known))
            for who in timed:
                try:
                    found = self._run(who, f"{name}.events", expression, count // who.slower)
                except StalledError as error:
                    found = None
                    sys.stderr.write(f"{error}\n")
                sys.stderr.write(f"{who.title}: {found}\n")
                seen[who.title].append(found)
        return self._table(seen, bares, pipeline, is_learning)

    def _run(self, who: Contestant, events: str, pipeline: str, count: int) -> dict[str, float]:
        self._runs += 1
        group = f"{events.removesuffix('.events')}-{self._runs}"
        topics = [f"{group}.predictions"]
        if who.program == RIVERRUN:
            topics += [f"{group}.labels", f"{group}.dead-letters"]
        self._topics.create(*topics)
        with tempfile.TemporaryDirectory() as folder:
            task = Task(self._topics.broker, events, topics[0], group, Path(folder), pipeline)
            with started(who, task) as process:
                try:
                    return self._watch(topics[0], count, process)
                except StalledError as error:
                    log = (task.folder / "program.log").read_text(errors="replace")
                    raise StalledError(f"{who.title}: {error}\n{log[-3000:]}") from error

    def _watch(
        self, predictions: str, count: int, process: subprocess.Popen[bytes]
    ) -> dict[str, float]:
        def is_alive() -> bool:
            return process.poll() is None

        first = self._topics.wait(predictions, count // 10, is_alive)
        spent = cpu_seconds(process.pid)
        last = self._topics.wait(predictions, count, is_alive)
        spent = cpu_seconds(process.pid) - spent
        times = [at for at, _ in self._topics.read(predictions)[:count]]
        seconds = (times[-1] - times[count // 10]) / 1e3
        return {
            "per_second": (count - count // 10) / max(seconds, 1e-3),
            "cpu_microseconds": 1e6 * spent / max(1, last - first),
        }

    def _table(
        self,
        seen: dict[str, list[dict[str, float] | None]],
        bares: list[float],
        pipeline: str,
        is_learning: bool,
    ) -> list[dict[str, Any]]:
        best = seen.get("riverrun, librdkafka", [None] * len(bares))
        table = []
        for title, runs in seen.items():
            done = [
                (run, mine, bare) for run, mine, bare in zip(runs, best, bares, strict=True) if run
            ]
            if not done:
                continue
            ratios = [mine["per_second"] / run["per_second"] for run, mine, _ in done if mine]
            shares = [run["per_second"] / bare for run, _, bare in done]
            row: dict[str, Any] = {
                "who": title,
                "riverrun_is_times_as_fast": round(median(ratios), 2) if ratios else "",
                "share_of_bare": round(median(shares), 3),
                "per_second": round(median(run["per_second"] for run, _, _ in done)),
                "cpu_microseconds": round(median(run["cpu_microseconds"] for run, _, _ in done), 1),
                "stalled": len(runs) - len(done),
            }
            task = "predict and learn" if is_learning else "predict"
            table.append(row | {"pipeline": pipeline, "task": task})
        return table


def _features(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name.startswith("f")}
