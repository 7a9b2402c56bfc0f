"""Spans of the past, merged from stored panes and tested without the raw data."""

from __future__ import annotations

import math

import pytest

from monitor.panes import Pane, merge
from monitor.skew import SkewTest
from serve.drift_history import DriftHistory, NoPanesError, UnknownVersionError
from stream.errors import CheckpointDamagedError, InputError
from stream.watching.monitor_config import monitor_config
from tests.serve.watched import PANE, SHIFTED_FROM, damage, watched_event, watched_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = watched_world(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


def test_a_span_is_the_sum_of_its_panes_and_tested_as_the_worker_would(world):
    found = DriftHistory(world.store, world.config).span(None, None)
    rows = [stored.row for stored in world.store.history.panes()]
    assert (found.panes, found.skipped, found.version) == (len(rows), 0, "v1")
    assert found.pane == merge(Pane.from_bytes(row.data) for row in rows)
    assert (found.first, found.last) == (rows[-1].first, rows[0].last)
    assert found.schema.names == ("x", "z", "c")
    skew = monitor_config(world.config.monitor, world.config.retrain).skew
    test = SkewTest(found.reference, skew, pane_events=world.config.monitor.pane_events)
    again = test.report({4: found.pane})
    assert found.report.blame == again.blame
    assert {column.span for column in found.report.columns} == {len(rows)}


def test_a_span_of_one_pane_says_what_the_timeline_says(world):
    first = world.store.history.panes()[-1].row
    found = DriftHistory(world.store, world.config).span(first.first, first.last)
    columns = [(column.role, column.name) for column in found.reference.layout.columns]
    ratios = {(b.role, b.name): round(b.ratio, 4) for b in found.report.blame}
    assert found.panes == 1
    assert [ratios[column] for column in columns] == first.summary.ratios


def test_the_shift_is_blamed_where_it_is_and_not_before(world):
    history = DriftHistory(world.store, world.config)
    assert history.span(None, SHIFTED_FROM).report.alarms == ()
    after = history.span(SHIFTED_FROM, None)
    assert after.report.alarms[0] == "x"
    assert after.first >= SHIFTED_FROM


def test_a_span_is_held_to_the_guard_of_its_length(tmp_path):
    # Panes of the reference that drift apart: longer spans of it differ more.
    world = watched_world(tmp_path, 0, monitor={"warmup_events": 20 * PANE})
    rows = [watched_event(n) | {"x": 3.0 * (n // PANE % 4) + n % 7 / 7} for n in range(24 * PANE)]
    world.append(*rows)
    world.work()
    found = DriftHistory(world.store, world.config).span(None, None, last=2)
    skew = monitor_config(world.config.monitor, world.config.retrain).skew
    test = SkewTest(found.reference, skew, pane_events=PANE)
    assert found.panes == 2
    assert found.report.blame == test.report({2: found.pane}).blame
    assert found.report.blame != test.report({1: found.pane}).blame
    world.close()


def test_a_span_without_panes_says_which_there_are(world):
    history = DriftHistory(world.store, world.config)
    with pytest.raises(NoPanesError, match=r"panes are stored from 1970-01-01T00:01:40"):
        history.span(1e9, 2e9)
    with pytest.raises(InputError):
        history.span(math.nextafter(0.0, 1.0), 1.0)


def test_an_unknown_version_names_those_there_are(world):
    with pytest.raises(UnknownVersionError, match=r"'v9'; there are: v1") as caught:
        DriftHistory(world.store, world.config).span(None, None, "v9")
    assert caught.value.known == ["v1"]
    assert isinstance(caught.value, InputError)


def test_panes_of_other_bins_are_counted_and_not_compared(tmp_path):
    world = watched_world(tmp_path)
    damage(world, "UPDATE panes SET layout = 'other' WHERE pane < 2")
    history = DriftHistory(world.store, world.config)
    whole = len(world.store.history.panes())
    found = history.span(None, None)
    assert (found.panes, found.skipped) == (whole - 2, 2)
    damage(world, "UPDATE panes SET layout = 'other'")
    with pytest.raises(NoPanesError, match=rf"all {whole} panes .* other bins .* v1"):
        history.span(None, None)
    world.close()


def test_a_damaged_pane_or_reference_is_named(tmp_path):
    world = watched_world(tmp_path)
    history = DriftHistory(world.store, world.config)
    history.span(None, None)
    damage(world, "UPDATE panes SET data = substr(data, 1, 20) WHERE pane = 1")
    with pytest.raises(CheckpointDamagedError, match="pane 1 is damaged"):
        history.span(None, None)
    damage(world, """UPDATE "references" SET data = substr(data, 2)""")
    with pytest.raises(CheckpointDamagedError, match="reference of v1"):
        history.span(None, None)
    world.close()


def test_before_the_first_checkpoint_and_in_the_warm_up_the_reason_is_said(make_world):
    world = make_world()
    with pytest.raises(NoPanesError, match="no checkpoint yet"):
        DriftHistory(world.store, world.config).span(None, None)
    world.learn()
    with pytest.raises(UnknownVersionError, match="the warm-up"):
        DriftHistory(world.store, world.config).span(None, None)
