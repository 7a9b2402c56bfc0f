"""Floats are read many at a time, and nothing but floats is."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import Feature, Schema
from monitor.columns import Column
from monitor.counting import CheckedBatch, check_batch
from monitor.floats import floats, floats_of_rows

anything = (
    st.floats() | st.integers() | st.booleans() | st.none() | st.text(max_size=9) | st.binary()
)
mostly = st.one_of(*[st.floats()] * 6, anything, st.lists(st.floats(), max_size=9))


def bits(values: Any) -> list[int]:
    found: list[int] = np.array(values, dtype=np.float64).view(np.int64).tolist()
    return found


@given(st.lists(mostly, min_size=1, max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_column_is_taken_whole_where_all_of_it_are_floats_and_not_at_all_else(
    values: list[Any],
) -> None:
    found = floats([values, values])
    if all(type(value) is float for value in values):
        assert found is not None
        assert bits(found[0]) == bits(found[1]) == bits(values)
    else:
        assert found is None


@given(
    st.lists(st.tuples(mostly, mostly, st.sampled_from(["ab", "ba", "abc", "a", "ax"])), min_size=1)
)
@settings(max_examples=300, deadline=None)
def test_rows_are_taken_whole_where_all_look_like_the_first(
    rows: list[tuple[Any, Any, str]],
) -> None:
    events = [{name: (x, y)[at % 2] for at, name in enumerate(names)} for x, y, names in rows]
    alike = all(
        list(event) == list(events[0]) and all(type(value) is float for value in event.values())
        for event in events
    )
    found = floats_of_rows(events, ["b", "a"])
    if alike and set(events[0]) == {"a", "b"}:
        assert found is not None
        assert bits(found[0]) == bits([event["b"] for event in events])
        assert bits(found[1]) == bits([event["a"] for event in events])
    else:
        assert found is None


@pytest.mark.parametrize("rows", [1, 15, 16, 70_000])
@pytest.mark.parametrize("width", [1, 15, 16])
def test_any_number_of_rows_and_fields_can_be_read(rows: int, width: int) -> None:
    if rows > 1000 and width > 1:
        rows = 1000
    names = [f"n{k}" * (1 + k) for k in range(width)]
    values = np.random.default_rng(0).normal(size=(rows, width))
    events = [dict(zip(names, row, strict=True)) for row in values.tolist()]
    found = floats_of_rows(events, names)
    assert found is not None
    assert (found == values.T).all()
    again = floats(values.T.tolist())
    assert again is not None
    assert (again == values.T).all()


def test_odd_numbers_and_odd_mappings_are_left_to_the_slow_way() -> None:
    for odd in (np.float64(1.0), 10**400, "\ud800", object(), [[[]]] * 3):
        assert floats([[1.0, odd]]) is None
        assert floats_of_rows([{"": 1.0}, {"": odd}], [""]) is None
    assert floats_of_rows([OrderedDict(a=1.0)], ["a"]) is None
    assert floats_of_rows([{"": 1.0}], [""]) is not None
    assert floats([]) is floats([[]]) is floats_of_rows([], ["a"]) is None


def test_the_fast_way_and_the_slow_way_say_the_same() -> None:
    features = (Feature("x", "float", minimum=0, bounds_inferred=True), Feature("y", "float"))
    schema = Schema(features)
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = [
        {"x": x, "y": y} for x, y in rng.normal(1.0, 1.0, (500, 2)).tolist()
    ]
    rows[7]["y"], rows[8]["x"], rows[9]["x"] = math.inf, math.nan, -math.inf
    assert floats_of_rows(rows, ["x", "y"]) is not None
    # An unknown field in one row sends all of them the slow way; it has no bearing on the others.
    fast, slow = check_batch(rows, schema), check_batch([*rows, {"z": 1}], schema)

    def told(batch: CheckedBatch) -> Any:
        def cut(column: Column) -> Any:
            codes = np.zeros(batch.rows, np.uint8) if column.codes is None else column.codes
            return bits(column.values[:500]), codes[:500].tolist()

        return (
            {name: cut(column) for name, column in batch.columns.items()},
            {row: found for row, found in batch.anomalies.items() if row < 500},
            batch.errors[:500].tolist(),
            {k: v[:500].tolist() for k, v in batch.marks.items() if v[:500].any()},
        )

    assert told(fast) == told(slow)
    assert {"not_finite", "out_of_range"} == {kind for kind, _ in fast.marks}
