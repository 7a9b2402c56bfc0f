"""Memory against events: what a worker holds after more and more of them.

Each size runs in a process of its own. With labels in the events it should be flat; with labels
that never come, every event waits, up to ``labels.max_pending``.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

SIZES = (20_000, 80_000, 320_000)


def measure(size: int, labelled: bool, answer: Any) -> None:
    """Put the growth of resident memory, in MiB, while one line handles ``size`` events."""
    import msgspec

    from benchmarks.streams import PIPELINES, config, rows
    from stream.build import line_factory
    from stream.records import Record

    settings = config("none", "none", PIPELINES["scaler and logistic regression"])
    line = line_factory(settings)("v1")
    before = 0.0
    batch: list[Record] = []
    for offset, row in enumerate(rows(size)):
        if not labelled:
            del row["label"]
        value = msgspec.json.encode(row)
        batch.append(Record(settings.events_topic, 0, offset, 0, None, value))
        if len(batch) == 1_000:
            line.handle(batch, 0)
            batch = []
            before = before or resident()
    answer.put((resident() - before, len(line.pending)))


def resident() -> float:
    """Return this process's resident memory in MiB."""
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def compare(sizes: tuple[int, ...] = SIZES) -> list[dict[str, Any]]:
    """Return one row per size and kind of stream."""
    context = multiprocessing.get_context("spawn")
    results = []
    for labelled in (True, False):
        for size in sizes:
            answer: Any = context.Queue()
            process = context.Process(target=measure, args=(size, labelled, answer))
            process.start()
            grown, pending = answer.get(timeout=300)
            process.join()
            results.append(
                {
                    "labels": "in the event" if labelled else "never come",
                    "events": size,
                    "pending": pending,
                    "grown_mib": round(grown, 1),
                }
            )
    return results
