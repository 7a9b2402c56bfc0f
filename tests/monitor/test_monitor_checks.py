"""Per-event and per-pane checks: bad data is a value, never an exception."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import Feature, Schema
from monitor.anomalies import KINDS, pane_anomalies
from monitor.columns import CODES, OK, check
from monitor.counting import check_batch
from monitor.panes import Pane

FLOAT = Feature("x", "float", minimum=0.0, maximum=10.0)
TABLE: list[tuple[Feature, Any, str]] = [
    (FLOAT, 1.5, "ok"),
    (FLOAT, 3, "ok"),
    (FLOAT, True, "wrong_type"),
    (FLOAT, "3.5", "wrong_type"),
    (FLOAT, None, "missing"),
    (FLOAT, math.nan, "not_finite"),
    (FLOAT, -math.inf, "not_finite"),
    (FLOAT, 11, "out_of_range"),
    (FLOAT, 10**400, "out_of_range"),
    (FLOAT, [1], "wrong_type"),
    (FLOAT, {"a": 1}, "wrong_type"),
    (Feature("x", "float", coerce=True), "3.5", "ok"),
    (Feature("x", "float", coerce=True), "inf", "not_finite"),
    (Feature("x", "float", coerce=True), "three", "wrong_type"),
    (Feature("x", "int"), 3, "ok"),
    (Feature("x", "int"), 3.0, "wrong_type"),
    (Feature("x", "int"), math.nan, "not_finite"),
    (Feature("x", "int", coerce=True), 3.0, "ok"),
    (Feature("x", "int", coerce=True), 3.5, "wrong_type"),
    (Feature("x", "bool"), False, "ok"),
    (Feature("x", "bool"), 0, "wrong_type"),
    (Feature("x", "bool", coerce=True), "TRUE", "ok"),
    (Feature("x", "string", domain=("a",)), "a", "ok"),
    (Feature("x", "string", domain=("a",)), "b", "out_of_domain"),
    (Feature("x", "string"), 5, "wrong_type"),
    (Feature("x", "string", coerce=True), 5, "ok"),
    (Feature("x", "any"), [1, 2], "ok"),
]


@pytest.mark.parametrize(("feature", "value", "expected"), TABLE)
def test_each_kind_alone_and_among_good_values(feature: Feature, value: Any, expected: str) -> None:
    good = {"float": 1.0, "int": 1, "bool": True, "string": "a", "any": "a"}[feature.type]
    for column in (check([value], feature), check([good, value, good], feature)):
        codes = column.codes if column.codes is not None else np.zeros(3, dtype=np.uint8)
        assert CODES[codes[len(codes) // 2]] == expected
        assert (np.delete(codes, len(codes) // 2) == OK).all()


def test_a_coercion_is_counted_once_for_each_value() -> None:
    feature = Feature("x", "float", coerce=True)
    batch = check_batch([{"x": "1.5"}, {"x": 2.0}, {"x": "no"}, {"x": None}], Schema((feature,)))
    assert batch.marks["coerced", "x"].tolist() == [True, False, False, False]
    assert batch.columns["x"].coerced == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=3,
)


@given(
    st.lists(st.dictionaries(st.sampled_from(["i", "f", "b", "s", "o", "new"]), json_values)),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_no_json_at_all_makes_a_check_raise(rows: list[dict[str, Any]], coerce: bool) -> None:
    schema = Schema(
        (
            Feature("i", "int", minimum=0, maximum=5, coerce=coerce),
            Feature("f", "float", minimum=0, bounds_inferred=True, coerce=coerce),
            Feature("b", "bool", coerce=coerce),
            Feature("s", "string", domain=("a",), coerce=coerce, max_cardinality=3),
            Feature("o", "any", required=False),
        )
    )
    batch = check_batch(rows, schema)
    assert len(batch.errors) == len(rows)
    for row, found in batch.anomalies.items():
        assert batch.errors[row] == any(anomaly.severity == "error" for anomaly in found)
        assert all(anomaly.kind in KINDS for anomaly in found)
    one_by_one = [bool(check_batch([row], schema).errors[0]) for row in rows]
    assert batch.errors.tolist() == one_by_one


def test_severities_follow_the_schema() -> None:
    feature = Feature("x", "float", maximum=1.0, bounds_inferred=True)
    rows = [{"x": 5.0, "y": 1}]
    assert not check_batch(rows, Schema((feature,))).errors.any()
    strict = Schema((feature,), severity={"unexpected_feature": "error", "out_of_range": "ignore"})
    batch = check_batch(rows, strict)
    assert batch.errors.all()
    assert [anomaly.kind for anomaly in batch.anomalies[0]] == ["unexpected_feature"]


def test_a_flood_of_unknown_fields_is_bounded() -> None:
    rows = [{f"k{k}": "v" * 10**6 for k in range(50)}]
    found = check_batch(rows, Schema(())).anomalies[0]
    assert len(found) == 8
    assert all(len(anomaly.found) <= 60 for anomaly in found)


@pytest.mark.parametrize(
    ("feature", "tallies", "kind"),
    [
        (Feature("x", "int", min_fraction=0.9), {("missing", "x"): 11}, "missing_feature"),
        (Feature("x", "int", max_missing=0.1), {("missing", "x"): 11}, "missing_rate"),
        (Feature("x", "string", domain=("a",)), {("out_of_domain", "x"): 2}, "out_of_domain"),
        (Feature("x", "int", min_fraction=0.9), {("missing", "x"): 10}, None),
        (Feature("x", "string", domain=("a",)), {("out_of_domain", "x"): 1}, None),
    ],
)
def test_a_pane_is_judged_by_its_shares(
    feature: Feature, tallies: dict[tuple[str, str], int], kind: str | None
) -> None:
    found = pane_anomalies(Pane(events=100, tallies=tallies), Schema((feature,)))
    assert [anomaly.kind for anomaly in found] == ([kind] if kind else [])


def test_distinct_values_are_estimated_when_asked_for() -> None:
    from monitor import Monitor

    schema = Schema((Feature("s", "string", max_cardinality=3000),))
    monitor = Monitor(schema=schema).fit([{"s": f"v{k}"} for k in range(2000)])
    few = monitor.observe([{"s": f"v{k}"} for k in range(1000)]).panes[0]
    assert few.pane.distinct("s") == pytest.approx(1000, rel=0.02)
    assert "cardinality" not in [anomaly.kind for anomaly in few.anomalies]


def test_a_type_that_was_edited_after_the_bins_makes_its_column_unusable_only() -> None:
    from monitor import Monitor
    from monitor.segments import segments_of

    rows = [{"x": float(k), "y": float(k)} for k in range(1000)]
    monitor = Monitor().fit(rows)
    edited = Schema((Feature("x", "string", required=False), Feature("y", "float")))
    monitor.correct(edited, 0.0)
    now = [{"x": "a" if k % 2 else None, "y": float(k)} for k in range(1000)]
    report = monitor.observe(now).panes[0].report
    assert report is not None
    assert report.by_column["feature", "y"][0].status == "OK"
    assert report.by_column["feature", "x"][0].missing_current == 1.0
    assert monitor.reference is not None
    found = segments_of(now[:2], ["x", "y", "z"], edited, monitor.reference.layout)
    assert found["x"] == ["missing", "unusable"]
    assert set(found) == {"x", "y"}
