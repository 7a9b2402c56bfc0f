"""The parts of ``docs/benchmarks.md`` that other benches measured, from their JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import latency, mini_batch, startup
from benchmarks.peers.__main__ import tables
from benchmarks.streams import PIPELINES


def others(docs: Path) -> list[str]:
    """Return sections with title and text, for what has been measured.

    Parameters
    ----------
    docs
        Where the JSON files are.
    """
    return [
        *_stages(_read(docs / "stages.json")),
        *_peers(_read(docs / "peers.json")),
        *_latency(_read(docs / "latency.json")),
        *_startup(_read(docs / "startup.json")),
        *_growth(_read(docs / "growth.json")),
        *_mini_batches(_read(docs / "mini-batches.json")),
    ]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _stages(table: Any) -> list[str]:
    if not table:
        return []
    from benchmarks.__main__ import markdown

    return [
        "## Where an event's time goes\n",
        "Microseconds of processor time an event, `python -m benchmarks.stages`: the model alone;",
        "the same with the model pickled every 1,000 events, which is not counted itself; the bare",
        "loop with its metric; the line with its records in memory, without the monitor, with it,",
        "and with the frozen baseline; the worker over the embedded log, and its stages.\n",
        markdown(table),
    ]


def _peers(results: Any) -> list[str]:
    if not results:
        return []
    from benchmarks.__main__ import markdown

    parts = [
        "## Beside peers\n",
        "Quix Streams, Faust, chantilly and plain loops, all with River, the same events on one",
        "Apache Kafka: `python -m benchmarks.peers`. How it is measured, versions, settings and",
        "what each does beside it are in `docs/peers.md`.\n",
    ]
    for title, table in tables(results["race"]):
        if title.endswith(next(iter(PIPELINES))):
            parts += [f"{title}:\n", markdown(table)]
    if results["killed"]:
        parts += ["Killed three times midway, with a ledger inside the model:\n"]
        parts += [markdown(results["killed"])]
    return parts


def _latency(table: Any) -> list[str]:
    if not table:
        return []
    from benchmarks.__main__ import markdown

    about = "From append to prediction and from label to learned: `docs/latency.md`.\n"
    return ["## Latency\n", about, markdown(table), latency.PUBLISHED]


def _startup(results: Any) -> list[str]:
    return ["## Start-up and idleness\n", startup.document(results)] if results else []


def _growth(results: Any) -> list[str]:
    if not results:
        return []
    about = "Cost per event against features, labels that wait, panes, the model, partitions:"
    picture = "![Cost per event against what grows](images/growth.svg)\n"
    return ["## Growth\n", f"{about} `docs/growth.md`.\n", picture]


def _mini_batches(table: Any) -> list[str]:
    if not table:
        return []
    from benchmarks.__main__ import markdown

    about = (mini_batch.__doc__ or "").split("\n", 2)[2]
    return ["## Mini-batches\n", about, markdown(table)]
