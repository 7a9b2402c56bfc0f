"""The monitor's history: panes and references, the same over SQLite and PostgreSQL."""

from __future__ import annotations

import pytest

from stream.checkpoint import Snapshot
from stream.errors import CheckpointDamagedError
from stream.storage.history import PaneKey
from stream.storage.store import Identity, Store
from stream.watching.pane_row import PaneAnomaly, PaneRow, PaneSummary

IDENTITY = Identity("f", 2, {})
SUMMARY = PaneSummary(
    state="OK",
    actions=["alert"],
    signals={"concept": 0.5},
    ratios=[0.25, None],
    alarms=[("feature", "<b>\n")],
    anomalies=[PaneAnomaly("volume", "", "warning", "3", "9")],
    drifts=[],
)


def row(index: int) -> PaneRow:
    """Return a pane of the ten seconds from 10 * index on."""
    return PaneRow(
        index=index,
        version="v1",
        layout="bins",
        first=10.0 * index,
        last=10.0 * index + 9,
        events=1000,
        errors=index,
        data=bytes([index % 256]) * 40,
        scores=b"scores",
        offsets={"t-0": 10 * index},
        summary=SUMMARY,
    )


def commit(store, claim, number, indexes=(), reference=None, **options):
    snapshot = Snapshot(
        {}, "v1", {"model": b"m"}, {}, panes=[row(index) for index in indexes], reference=reference
    )
    made = {"status": {}, "identity": IDENTITY, "reason": "test", "now": float(number)}
    store.commit(claim, number, snapshot, **(made | {"keep": 3, "replace": False} | options))


@pytest.fixture
def store(url):
    """A store with 150 panes, which came with ten checkpoints."""
    made = Store(url, "s")
    claim = made.claim("me", 0.0)
    for number in range(10):
        commit(made, claim, number + 1, range(15 * number, 15 * number + 15))
    made.claimed = claim
    return made


def indexes(panes) -> list[int]:
    return [stored.row.index for stored in panes]


def test_a_pane_is_read_back_as_it_was_written(store):
    assert [stored.row for stored in store.history.panes(limit=2)] == [row(149), row(148)]
    assert store.history.panes(limit=1)[0].key == PaneKey(10, 149)


def test_what_is_not_wanted_is_not_read(store):
    lean = store.history.panes(limit=1, data=False, scores=False)[0].row
    assert (lean.data, lean.scores, lean.summary) == (b"", b"", SUMMARY)
    assert store.history.panes(limit=1, data=False)[0].row.scores == b"scores"


def test_a_range_takes_the_panes_that_reach_into_it(store):
    history = store.history
    assert indexes(history.panes(25.0, 40.0)) == [3, 2]
    assert indexes(history.panes(29.0, 40.1)) == [4, 3, 2]
    assert indexes(history.panes(29.5, 30.0)) == []
    assert indexes(history.panes(None, 10.0)) == [0]
    assert indexes(history.panes(1490.0)) == [149]
    assert history.panes(5_000.0) == []


def test_pages_follow_each_other_without_gaps_while_panes_come_and_go(store):
    seen, before = [], None
    while page := store.history.panes(limit=13, before=before):
        seen += indexes(page)
        before = page[-1].key
        number = 11 + len(seen)
        commit(store, store.claimed, number, [149 + len(seen)], panes_kept=10_000)
    assert seen == list(range(149, -1, -1))


def test_each_reads_all_of_them_a_few_at_a_time(store):
    assert indexes(store.history.each()) == list(range(149, -1, -1))
    assert indexes(store.history.each(last=70)) == list(range(149, 79, -1))
    assert indexes(store.history.each(last=64)) == list(range(149, 85, -1))
    assert indexes(store.history.each(100.0, 900.0)) == list(range(89, 9, -1))
    assert indexes(store.history.each(last=1_000)) == list(range(149, -1, -1))


def test_the_extent_is_that_of_all_panes(store, url):
    assert store.history.extent() == (0.0, 1499.0)
    assert Store(url, "other").history.extent() is None
    assert Store(url, "other").history.panes() == []


def test_only_the_newest_panes_stay(store):
    commit(store, store.claimed, 11, [150], panes_kept=20)
    assert indexes(store.history.panes()) == list(range(150, 130, -1))
    assert store.history.extent() == (1310.0, 1509.0)


def test_going_back_and_rebuilding_take_panes_away(store):
    commit(store, store.claimed, 11, [150])
    store.go_back_to(store.claimed, 9)
    assert indexes(store.history.panes(limit=1)) == [134]
    commit(store, store.claimed, 12, [0], replace=True)
    assert indexes(store.history.panes()) == [0]


def test_a_reference_is_sealed_to_its_version(url):
    store = Store(url, "s", secret=b"key")
    claim = store.claim("me", 0.0)
    commit(store, claim, 1, reference=b"one")
    assert store.history.reference("v1") == b"one"
    assert store.history.reference("v2") is None
    assert store.history.versions() == ["v1"]
    commit(store, claim, 2, reference=b"two")
    assert store.history.reference("v1") == b"two"
    with pytest.raises(CheckpointDamagedError, match="RIVERRUN_SECRET"):
        Store(url, "s", secret=b"another").history.reference("v1")
