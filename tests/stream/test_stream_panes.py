"""The panes of a divided stream are those of one worker, to the last count."""

from __future__ import annotations

import random

import pytest

from stream.records import Record
from stream.sharding.stream_panes import grouped_by_time, pane_key
from stream.storage.history import PaneKey, StoredPane
from stream.watching.merged_watch import MergedWatch, read_part
from stream.watching.settings import make_merged_watch
from stream.watching.shard_watch import ShardWatch
from tests.lines import SMALL_MONITOR, as_bytes, event, make_config, make_line, truth

NOW = 2_000_000_000
SHARDS = 4
SPAN = 60.0
WARM_UP = 4_800


def config_of(shards: str, **monitor):
    return make_config(
        stream={"shards": shards},
        model={"pipeline": None, "factory": "tests.stream.rule_model:make"},
        monitor=SMALL_MONITOR | {"warmup_events": WARM_UP, "pane_span": "1m"} | monitor,
        retrain={"enabled": False},
    )


def rows_of(seed: int, count: int, late: float = 0.0):
    """Return events by partition, in the order of time; some are late, wrong, or come again."""
    rng = random.Random(seed)
    parts: list[list[dict]] = [[] for _ in range(SHARDS)]
    time = 0
    for number in range(count):
        time += rng.choice((0, 200, 700, 1_500))
        row = event(number, truth(number)) | {"c": rng.choice("xyz"), "t": time}
        if rng.random() < late:
            row["t"] = max(0, time - rng.choice((20_000, 90_000)))
        if rng.random() < 0.03:
            row["b"] = None
        if number > count * 0.5 and rng.random() < 0.05:
            row["b"] = "twelve"
        part = parts[rng.choice((0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3))]
        part.append(row)
        if row["b"] != "twelve" and rng.random() < 0.02:
            part.append(dict(row))
    for part in parts:  # each shard sees the end of the last pane
        part.append(event(count + len(part), True) | {"c": "x", "t": time + 120_000})
    return parts


def records_of(parts):
    """Return the records of all partitions, in the order in which one worker reads them."""
    found = [
        Record("s.events", partition, offset, NOW + row["t"], None, as_bytes(row))
        for partition, part in enumerate(parts)
        for offset, row in enumerate(part)
    ]
    ends = {}
    for record, row in zip(found, [row for part in parts for row in part], strict=True):
        ends[record.partition] = max(ends.get(record.partition, 0), row["t"])
    return found


def one_worker(parts, **monitor):
    """Return the panes of one worker that reads everything by time."""
    line = make_line(config_of("all", **monitor))
    line.handle(sorted(records_of(parts), key=lambda r: (r.timestamp, r.partition, r.offset)), NOW)
    return line


def divided(parts, rng, **monitor):
    """Return the shards and the stream's watch, whose reference came somewhere in the midst."""
    config = config_of("partition", **monitor)
    lines = [make_line(config) for _ in parts]
    merged = make_merged_watch(config, "v1", lines[0].features_of)
    records = records_of(parts)
    by_part = [[r for r in records if r.partition == number] for number in range(len(parts))]
    read = [rng.randint(round(len(part) * 0.6), round(len(part) * 0.9)) for part in by_part]
    for line, part, stop in zip(lines, by_part, read, strict=True):
        feed(line, part[:stop], rng)
    kept = {n: line.watch.first for n, line in enumerate(lines)}
    found = merged.begin(kept)
    assert found is not None
    for number, (line, part, stop) in enumerate(zip(lines, by_part, read, strict=True)):
        later = rng.randint(stop, len(part))
        feed(line, part[stop:later], rng)
        assert isinstance(line.watch, ShardWatch)
        assert line.watch.adopt(found, number)
        feed(line, part[later:], rng)
    return lines, merged


def feed(line, records, rng):
    while records:
        size = rng.choice((1, 7, 100, 1_000))
        line.handle(records[:size], NOW)
        records = records[size:]


def merge_all(lines, merged: MergedWatch):
    closed = {
        f"{number}-of-{SHARDS}": [StoredPane(PaneKey(1, row.index), row) for row in line.watch.rows]
        for number, line in enumerate(lines)
    }
    reached = {
        f"{number}-of-{SHARDS}": line.watch.monitor.recorder.key
        for number, line in enumerate(lines)
    }
    for group in grouped_by_time(closed, reached, SPAN, None):
        merged.take([read_part(stored.row) for _, stored in group.panes], group.late, {})
    return list(merged.rows)


@pytest.mark.parametrize("seed", range(4))
def test_merged_panes_of_four_shards_are_those_of_one_worker(seed):
    parts = rows_of(seed, 9_000)
    one = one_worker(parts)
    lines, merged = divided(parts, random.Random(seed))
    rows = merge_all(lines, merged)
    assert merged.monitor.reference.to_data() == one.watch.monitor.reference.to_data()
    assert merged.monitor.reference.layout.columns
    theirs = {pane_key(row.last, SPAN): row for row in one.watch.rows}
    ours = {pane_key(row.last, SPAN): row for row in rows}
    assert ours.keys() == theirs.keys()
    assert len(ours) > 20
    assert sum(row.errors for row in rows) > 20
    for key, row in ours.items():
        assert read_part(row).pane == read_part(theirs[key]).pane, key
