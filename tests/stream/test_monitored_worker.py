"""The worker keeps the monitor's panes and references, and hears of a corrected schema."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from monitor.panes import Pane, merge
from monitor.schema import Schema
from monitor.schema_text import schema_to_toml
from monitor.skew import SkewTest
from stream.checkpoint import VIEW_PART
from stream.errors import CheckpointDamagedError
from stream.storage.store import Store
from stream.watching.state import read_reference
from tests.lines import PIPELINE, SMALL_MONITOR, event, make_config, new_records, truth
from tests.stream.test_worker import Bench


def rows(start, end, **fields):
    return new_records(
        "s.events", [event(number, truth(number), **fields) for number in range(start, end)]
    )


@pytest.fixture
def bench(url):
    return Bench(url, monitor=SMALL_MONITOR)


def test_panes_and_the_reference_are_stored_with_the_checkpoint(bench):
    bench.produce(rows(0, 300))
    worker = bench.run()
    history = bench.store.history
    panes = history.panes()
    assert [stored.row.index for stored in panes] == list(range(9, -1, -1))
    assert panes[0].row == worker.line.watch.last
    reference = read_reference(history.reference("v1"))
    assert reference.total.events == 100
    assert history.versions() == ["v1"]
    assert history.reference("v7") is None


def test_the_rows_of_a_checkpoint_are_no_pipeline_in_which_a_server_waits_for_ever(
    bench, monkeypatch
):
    """A client that freezes in a pipeline is not idle to PostgreSQL, and would keep its locks."""

    def refuse(*_: object) -> None:
        raise AssertionError("psycopg makes a pipeline of these")

    monkeypatch.setattr(psycopg.Cursor, "executemany", refuse)
    bench.produce(rows(0, 300))
    bench.run()
    assert len(bench.store.history.panes()) == 10


def test_a_past_span_is_tested_against_a_stored_reference_without_raw_data(bench):
    bench.produce(rows(0, 200) + rows(200, 300, a=5.0))
    bench.run()
    history = bench.store.history
    reference = read_reference(history.reference("v1"))
    config = bench.worker().line.watch.config.skew
    test = SkewTest(reference, config, spans=(0,), pane_events=100)

    def alarms(start, end):
        found = [Pane.from_bytes(stored.row.data) for stored in history.panes(start, end)]
        return test.report({0: merge(found)}).alarms

    assert alarms(100.0, 200.0) == ()
    assert alarms(200.0, 300.0)[0] == "a"


def test_panes_are_paged_and_found_by_event_time(bench):
    bench.produce(rows(0, 300))
    bench.run()
    history = bench.store.history
    seen, before = [], None
    while page := history.panes(limit=3, before=before):
        seen += [stored.row.index for stored in page]
        before = page[-1].key
    assert seen == list(range(9, -1, -1))
    assert [stored.row.index for stored in history.panes(130.0, 160.0)] == [2, 1]
    assert history.panes(500.0) == []


def test_only_the_newest_panes_are_kept(url):
    bench = Bench(url, monitor=SMALL_MONITOR | {"panes_kept": 64})
    for start in range(0, 2_000, 250):
        bench.produce(rows(start, start + 250))
        bench.run()
    panes = bench.store.history.panes()
    assert len(panes) == 64
    assert panes[0].row.index == 94


def test_the_panes_after_a_checkpoint_that_is_gone_back_to_are_forgotten(bench):
    bench.produce(rows(0, 200))
    bench.run()
    first = bench.store.newest().number
    bench.produce(rows(200, 300))
    worker = bench.run()
    assert len(bench.store.history.panes()) == 10
    bench.store.go_back_to(worker._claim, first)
    assert [stored.row.index for stored in bench.store.history.panes()] == [4, 3, 2, 1, 0]
    bench.run()
    assert len(bench.store.history.panes()) == 10


def test_a_rebuild_makes_the_panes_anew_and_keeps_the_old_reference(bench):
    bench.produce(rows(0, 300))
    bench.run()
    bench.run(rebuild=True)
    panes = bench.store.history.panes()
    assert [stored.row.index for stored in panes] == list(range(9, -1, -1))
    assert {stored.row.version for stored in panes} == {"v2"}
    assert bench.store.history.versions() == ["v1", "v2"]


def test_a_damaged_reference_is_noticed(bench, tmp_path):
    bench.produce(rows(0, 200))
    bench.run()
    signed = Store(bench.url, "s", secret=b"secret")
    with pytest.raises(CheckpointDamagedError, match="reference of v1"):
        signed.history.reference("v1")


def test_what_the_monitor_finds_is_written_down_once(bench):
    bench.produce(rows(0, 200) + rows(200, 300, a=5.0))
    bench.run()
    bench.run()
    kinds = [happened["kind"] for happened in bench.store.happenings()]
    assert kinds.count("reference") == 1
    first = [h["detail"] for h in bench.store.happenings() if h["kind"] == "pane"][-1]
    assert first["alarms"][0] == "a"
    assert "alert" in first["wanted"]
    bench.run(rebuild=True)
    again = [happened["kind"] for happened in bench.store.happenings()]
    assert again.count("pane") == kinds.count("pane")


def test_the_view_holds_the_schema_and_the_groups(bench):
    bench.produce(rows(0, 100) + rows(100, 130, b="text"))
    bench.run()
    view = bench.store.load_part(bench.store.newest(), VIEW_PART)
    assert b'"wrong_type"' in view
    assert b"[features." in view


def test_a_schema_that_is_corrected_while_the_worker_runs_ends_the_halt(store_url, tmp_path):
    path = tmp_path / "schema.toml"
    bench = Bench(
        store_url, monitor=SMALL_MONITOR, model={"pipeline": f"compose.Select('a') | {PIPELINE}"}
    )
    bench.produce(rows(0, 100))
    schema = bench.run().line.watch.monitor.schema
    path.write_text(schema_to_toml(schema))
    bench.config = make_config(
        monitor=SMALL_MONITOR | {"schema_file": str(path)},
        model={"pipeline": f"compose.Select('a') | {PIPELINE}"},
    )
    bench.produce(rows(100, 140, b="text"))
    worker = bench.run()
    assert worker.line.watch.is_halted
    assert worker.line.counts.dead_lettered == 40

    loose = tuple(
        replace(f, type="any", minimum=None, maximum=None) if f.name == "b" else f
        for f in schema.features
    )
    path.write_text("this is = = no TOML")
    worker._clock.time += 10
    worker.run(lambda: False, until_caught_up=True)
    assert worker.line.watch.is_halted
    path.write_text(schema_to_toml(Schema(loose)))
    worker._clock.time += 10
    bench.produce(rows(140, 180, b="text"))
    worker.run(lambda: False, until_caught_up=True)
    assert not worker.line.watch.is_halted
    assert worker.line.counts.dead_lettered == 40
    kinds = [happened["kind"] for happened in bench.store.happenings()]
    assert kinds.count("schema_refused") == 1
    assert kinds.count("schema") == 1
