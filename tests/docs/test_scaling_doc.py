"""The plan of docs/scaling.md is what its arithmetic makes of what was measured."""

from __future__ import annotations

import json
import shutil

import pytest

from benchmarks.scaling_plan import DOCS, RATES, plan, renew
from benchmarks.shards import write

COST = {
    "worker_microseconds": 70.0,
    "broker_microseconds": 10.0,
    "store_microseconds": 2.0,
    "store_bytes_an_event": 150.0,
    "checkpoints": 10,
    "checkpoint_kilobytes": 500.0,
    "event_bytes": 200.0,
    "prediction_bytes": 300.0,
    "worker_megabytes": 250.0,
}
ROW = {"log": "kafka", "pipeline": "a tree", "events": 100_000, "cost": COST}


def test_the_tables_are_made_of_what_was_measured(tmp_path):
    for name in ("scaling.json", "scaling.md"):
        shutil.copy(DOCS / name, tmp_path / name)
    renew(tmp_path)
    assert (tmp_path / "scaling.md").read_text() == (DOCS / "scaling.md").read_text()
    rows = json.loads((DOCS / "scaling.json").read_text())["rows"]
    assert rows
    text = (DOCS / "scaling.md").read_text()
    assert all(f"{row['one']:,} | {row['two']:,}" in text for row in rows)


def test_a_plan_is_what_a_person_would_reckon():
    made = plan(ROW, 100_000)
    assert made["workers, a core each"] == 10  # 100,000 x 70 us = 7 cores, of 0.7 each
    assert made["partitions"] == 20
    assert made["events/s a shard"] == 5_000
    assert made["commits/s"] == pytest.approx(20 / 30, abs=0.05)
    # 20 / 30 commits of 0.5 MB, and 100 bytes an event: 150 less ten checkpoints over all events.
    assert made["to PostgreSQL, MB/s"] == pytest.approx(20 / 30 * 0.5 + 10.0, abs=0.01)
    assert made["into Kafka, MB/s"] == 50.0
    assert made["brokers, cores"] == 1.0
    assert made["memory, GB"] == 2.5


def test_what_is_planned_grows_with_the_rate():
    small, middle, large = (plan(ROW, rate) for rate in RATES)
    for column in small:
        assert small[column] <= middle[column] <= large[column] or column == "events/s a shard"


def test_a_row_that_is_measured_again_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "scaling.json"
    for one in (1, 2):
        for log in ("a", "b"):
            write(path, "a machine", {"log": log, "pipeline": "tree", "one": one})
    rows = json.loads(path.read_text())["rows"]
    assert [(row["log"], row["one"]) for row in rows] == [("a", 2), ("b", 2)]
