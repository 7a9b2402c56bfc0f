"""Panes add up exactly, in any order, and survive storage."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import Feature, Monitor, MonitorConfig, Reference, Schema
from monitor.config import PaneConfig
from monitor.errors import DamagedError, LayoutMismatchError
from monitor.panes import SKETCH_BITS, Pane, SpanSums, merge

counts = st.integers(0, 2**40)
panes = st.builds(
    Pane,
    layout=st.just("l"),
    events=counts,
    errors=counts,
    late=counts,
    first=st.floats(0, 1e10),
    last=st.floats(0, 1e10),
    counts=st.lists(counts, min_size=5, max_size=5).map(lambda c: np.array(c, dtype=np.int64)),
    tallies=st.dictionaries(st.tuples(st.sampled_from("ab"), st.text(max_size=3)), counts),
    sketches=st.dictionaries(st.text(max_size=3), st.integers(0, 2**SKETCH_BITS - 1), max_size=2),
)


@given(st.lists(panes, min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_any_order_and_any_grouping_give_the_same_sum(some: list[Pane], random: Any) -> None:
    expected = merge(some)
    shuffled = list(some)
    random.shuffle(shuffled)
    cut = random.randrange(len(some) + 1)
    assert merge(shuffled) == expected
    assert merge(shuffled[:cut]) + merge(shuffled[cut:]) == expected
    assert reduce(lambda left, right: right + left, some) == expected


@given(panes)
@settings(max_examples=80, deadline=None)
def test_bytes_are_stable_and_come_back(pane: Pane) -> None:
    data = pane.to_bytes()
    again = Pane.from_bytes(data)
    assert again == pane
    assert again.to_bytes() == data
    assert b"pickle" not in data


@pytest.mark.parametrize(
    ("largest", "width"),
    [(0, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 4), (2**32 - 1, 4), (2**32, 8)],
)
def test_counts_take_the_fewest_bytes_that_hold_them(largest: int, width: int) -> None:
    shown = [
        Pane("l", 1, counts=np.array([largest, *[0] * (n - 1)], dtype=np.int64)) for n in (100, 200)
    ]
    sizes = [len(pane.to_bytes()) for pane in shown]
    # A length of more than 255 bytes is itself written in one byte more.
    assert sizes[1] - sizes[0] - 100 * width in (0, 1)
    for pane in shown:
        assert Pane.from_bytes(pane.to_bytes()).counts.tolist() == pane.counts.tolist()


def test_a_pane_of_another_format_is_refused() -> None:
    data = Pane("l", 3).to_bytes()
    for damaged in (b"RVRP1" + data[5:], data.replace(b"\x01\xc4\x00", b"\x03\xc4\x00")):
        assert damaged != data
        with pytest.raises(DamagedError):
            Pane.from_bytes(damaged)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=40),
    st.integers(1, 12),
    st.sets(st.integers(0, 40), max_size=3),
)
@settings(max_examples=80, deadline=None)
def test_running_sums_are_those_of_the_last_panes(
    counts: list[int], keep: int, restarts: set[int]
) -> None:
    spans = (1, 3, 10)
    sums, closed = SpanSums(spans), deque[Pane](maxlen=keep)
    for at, count in enumerate(counts):
        if at in restarts:
            sums = SpanSums(spans)
        pane = Pane("l", counts=np.array([count, 1]))
        found = {span: value.tolist() for span, value in sums.add(pane, closed).items()}
        closed.append(pane)
        kept = list(closed)
        assert found == {n: merge(kept[-n:]).counts.tolist() for n in spans if len(kept) >= n}
    with pytest.raises(LayoutMismatchError):
        sums.add(Pane("other", counts=np.zeros(2, dtype=np.int64)), closed)


@given(panes, st.binary(max_size=30), st.integers(0, 200))
@settings(max_examples=80, deadline=None)
def test_damaged_bytes_are_refused_and_nothing_else(pane: Pane, noise: bytes, at: int) -> None:
    data = pane.to_bytes()
    for damaged in (noise, data[:at], data[:at] + noise):
        with suppress(DamagedError):
            Pane.from_bytes(damaged)


def test_counts_of_different_layouts_are_not_added() -> None:
    with pytest.raises(LayoutMismatchError):
        Pane("a") + Pane("b")


EVENTS = [
    {
        "x": float(k % 13),
        "c": "abc"[k % 3] if k % 11 else None,
        **({"odd": 1} if k % 17 == 0 else {}),
    }
    for k in range(400)
]
TIMES = np.array([k * 0.7 - (30 if k % 23 == 0 else 0) for k in range(400)])


@given(
    st.lists(st.integers(0, 400), max_size=6),
    st.sampled_from([PaneConfig(events=37), PaneConfig(seconds=25.0)]),
)
@settings(max_examples=40, deadline=None)
def test_however_events_come_in_batches_the_panes_are_the_same(
    cuts: list[int], config: PaneConfig
) -> None:
    schema = Schema((Feature("x", "float"), Feature("c", "string", required=False)))

    def run(bounds: list[int]) -> tuple[list[Any], dict[str, Any]]:
        monitor = Monitor(MonitorConfig(panes=config), schema=schema).fit(EVENTS)
        closed = []
        for start, stop in pairwise(bounds):
            closed += monitor.observe(EVENTS[start:stop], TIMES[start:stop]).panes
        return [
            (c.index, c.pane, c.signals, c.state, c.actions) for c in closed
        ], monitor.snapshot()

    assert run([0, *sorted(cuts), 400]) == run([0, 400])


def test_partitions_add_up_to_the_whole_stream() -> None:
    schema = Schema((Feature("x", "float"), Feature("c", "string", required=False)))
    reference = Monitor(schema=schema).fit(EVENTS).reference
    config = MonitorConfig(panes=PaneConfig(events=400))

    def pane(rows: list[dict[str, Any]], times: np.ndarray) -> Pane:
        monitor = Monitor(config, schema=schema, reference=reference)
        closed = monitor.observe(rows, times).panes
        if closed:
            return closed[0].pane
        assert monitor.recorder is not None
        return monitor.recorder.open

    parts = [pane(EVENTS[k::3], TIMES[k::3]) for k in range(3)]
    assert merge(parts) == pane(EVENTS, TIMES)


def test_late_events_count_in_the_open_pane_and_are_told() -> None:
    monitor = Monitor(MonitorConfig(panes=PaneConfig(seconds=10.0))).fit(EVENTS)
    closed = monitor.observe(EVENTS[:4], [5.0, 12.0, 3.0, 25.0]).panes
    assert [(c.pane.events, c.pane.late) for c in closed] == [(1, 0), (2, 1)]


def test_a_reference_survives_storage_and_can_be_made_of_panes() -> None:
    monitor = Monitor(MonitorConfig(panes=PaneConfig(events=50))).fit(EVENTS)
    reference = monitor.reference
    assert reference is not None
    assert Reference.from_data(reference.to_data()).to_data() == reference.to_data()
    closed = [c.pane for c in monitor.observe(EVENTS).panes]
    again = Reference.of_panes(reference.layout, closed)
    assert again.total.events == 400
    monitor.promote(again)
    assert monitor.observe(EVENTS[:50]).panes[0].report is not None
    with pytest.raises(LayoutMismatchError):
        Reference.of_panes(reference.layout, [Pane("other")])
    with pytest.raises(DamagedError):
        Reference.from_data({"layout": "[]", "total": "AAAA", "panes": []})
