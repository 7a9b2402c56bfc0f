"""A plan for so many events a second, from what was measured: the tables of docs/scaling.md.

``python -m benchmarks.scaling_plan`` writes them from docs/scaling.json. Nothing in them is
typed by hand: a test makes them anew and compares.
"""

from __future__ import annotations

import json
import re
from math import ceil
from pathlib import Path
from typing import Any

from stream.sections import CheckpointSection

DOCS = Path(__file__).parents[1] / "docs"
RATES = (10_000, 100_000, 1_000_000)
FILLED = 0.7
"""Of a core that is planned with; the rest is for bursts, and for a worker that died."""
SHARDS_EACH = 2
"""Shards of a worker, so that what one leaves behind goes to several."""
REPLICAS = 3
"""Of each record in Kafka, as is usual; one was measured."""
MEGA = 1e6


def plan(row: dict[str, Any], rate: int) -> dict[str, Any]:
    """Return what a rate asks for.

    Parameters
    ----------
    row
        One of docs/scaling.json: what an event costs with a pipeline, by one worker.
    rate
        Events a second.

    Returns
    -------
    dict
        By the column of the table.
    """
    cost = row["cost"]
    workers = ceil(rate * cost["worker_microseconds"] / MEGA / FILLED)
    partitions = max(4, SHARDS_EACH * workers)
    interval = CheckpointSection().max_interval / 1000
    commits = partitions / interval
    memory = cost["worker_megabytes"] + SHARDS_EACH * cost["checkpoint_kilobytes"] / 1000
    record_bytes = cost["event_bytes"] + cost["prediction_bytes"]
    return {
        "events/s": rate,
        "workers, a core each": workers,
        "partitions": partitions,
        "events/s a shard": round(rate / partitions),
        "memory, GB": round(workers * memory / 1000, 1),
        "commits/s": round(commits, 1),
        "to PostgreSQL, MB/s": round(_stored(row, rate, commits) / MEGA, 2),
        "PostgreSQL, cores": round(rate * cost["store_microseconds"] / MEGA, 2),
        "into Kafka, MB/s": round(rate * record_bytes / MEGA, 1),
        f"on its disks, {REPLICAS} copies": round(REPLICAS * rate * record_bytes / MEGA, 1),
        "brokers, cores": round(rate * cost["broker_microseconds"] / MEGA, 1),
    }


def _stored(row: dict[str, Any], rate: int, commits: float) -> float:
    """Return the bytes a second that PostgreSQL writes: checkpoints, and what each event leaves."""
    cost = row["cost"]
    weight = cost["checkpoint_kilobytes"] * 1000
    every = cost["store_bytes_an_event"] - cost["checkpoints"] * weight / row["events"]
    return commits * weight + rate * max(0.0, every)


def renew(docs: Path) -> None:
    """Write the tables into the page between their marks."""
    rows = json.loads((docs / "scaling.json").read_text(encoding="utf-8"))["rows"]
    page = docs / "scaling.md"
    text = page.read_text(encoding="utf-8")
    for mark, made in (("measured", measured(rows)), ("plan", plans(rows))):
        begin, end = f"<!-- {mark}: python -m benchmarks.scaling_plan -->", f"<!-- /{mark} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        text, found = pattern.subn(lambda _, b=begin, m=made, e=end: f"{b}\n{m}{e}", text)
        if found != 1:
            raise SystemExit(f"{page} has {found} places for {begin}")
    page.write_text(text, encoding="utf-8")


def measured(rows: list[dict[str, Any]]) -> str:
    """Return what was measured, and the processor time of an event."""
    table = [
        {
            "log": row["log"],
            "pipeline": row["pipeline"],
            "events": row["events"],
            "one worker": row["one"],
            "two": row["two"],
            "times": row["times"],
            "room": row["room"],
            "worker, microseconds": row["cost"]["worker_microseconds"],
            "broker": row["cost"].get("broker_microseconds", ""),
            "store": row["cost"].get("store_microseconds", ""),
            "a shard's checkpoint, kB": row["cost"]["checkpoint_kilobytes"],
        }
        for row in rows
    ]
    machines = sorted({row["machine"] for row in rows})
    runs = sorted({len(row["runs"]["one"]) for row in rows})
    counted = " or ".join(map(str, runs))
    return f"{'; '.join(machines)}. Medians of {counted} runs each.\n\n{_table(table)}\n"


def plans(rows: list[dict[str, Any]]) -> str:
    """Return a table for each pipeline that was measured on Kafka."""
    parts = []
    for row in rows:
        if "broker_microseconds" in row["cost"]:
            parts += [f"{row['pipeline']}, {row['log']}:\n"]
            parts += [_table([plan(row, rate) for rate in RATES])]
    return "\n".join(parts) + "\n"


def _table(rows: list[dict[str, Any]]) -> str:
    from benchmarks.__main__ import markdown

    return markdown(rows)


if __name__ == "__main__":
    renew(DOCS)
