"""Value skew: what is found, what is not, and what never breaks a report."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from monitor import Feature, Monitor, MonitorConfig, Schema
from monitor.bins import CategoricalBins, NumericBins, fit_bins
from monitor.columns import Column
from monitor.config import PaneConfig, SkewConfig
from monitor.errors import LayoutMismatchError, StateError
from monitor.panes import Pane
from monitor.skew import SkewTest
from tests.shared_data import shared_data


def rows_of(name: str) -> list[dict[str, Any]]:
    path = shared_data(name)

    def read(value: str) -> Any:
        try:
            return float(value)
        except ValueError:
            return value

    with gzip.open(path, "rt") as file:
        return [{key: read(v) for key, v in row.items()} for row in csv.DictReader(file)]


def test_elec2_names_the_three_features_that_come_alive() -> None:
    rows = rows_of("elec2.csv.gz")
    features = [{k: v for k, v in row.items() if k not in ("date", "class")} for row in rows]
    monitor = Monitor().fit(features[:10_000])
    alarms = [set(c.report.alarms) for c in monitor.observe(features[10_000:22_000]).panes]
    three = {"vicprice", "vicdemand", "transfer"}
    changed = (17_424 - 10_000) // 1000
    assert not any(three & found for found in alarms[:changed])
    assert any(three <= found for found in alarms[changed : changed + 4])
    assert not any({"day", "period"} & found for found in alarms)


def test_bike_sharing_shows_its_growth() -> None:
    rows = rows_of("bike_sharing_hourly.csv.gz")
    first, second = (
        [{k: v for k, v in row.items() if k != "ts"} for row in rows if row["ts"][:4] == year]
        for year in ("2011", "2012")
    )
    report = Monitor().fit(first).compare(second)
    assert {"cnt", "yr"} <= set(report.alarms)
    assert not {"hr", "weekday", "season", "holiday"} & set(report.alarms)
    (growth,) = report.by_column["feature", "cnt"]
    assert growth.culprit.startswith(">")


@pytest.mark.parametrize("kind", ["mean", "scale", "missing", "share"])
def test_a_clear_change_is_found_and_its_neighbour_is_not_blamed(kind: str) -> None:
    rng = np.random.default_rng(0)

    def rows(n: int, *, changed: bool) -> list[dict[str, Any]]:
        x = rng.normal(size=n)
        if changed and kind == "mean":
            x += 0.5
        if changed and kind == "scale":
            x *= 1.5
        gone = rng.uniform(size=n) < (0.15 if changed and kind == "missing" else 0.02)
        c = rng.choice(["a", "b", "c"], n, p=[0.3, 0.4, 0.3] if changed and kind == "share"
                       else [0.5, 0.4, 0.1])  # fmt: skip
        other = rng.normal(size=n)
        return [
            {"x": None if g else v, "c": s, "other": o}
            for v, g, s, o in zip(x.tolist(), gone, c.tolist(), other.tolist(), strict=True)
        ]

    monitor = Monitor().fit(rows(10_000, changed=False))
    assert monitor.compare(rows(3000, changed=False)).alarms == ()
    report = monitor.compare(rows(3000, changed=True))
    assert report.alarms == ("c" if kind == "share" else "x",)
    assert report.blame[0].q < 0.001
    if kind == "share":
        assert report.by_column["feature", "c"][0].culprit in ("a", "c")


def test_a_small_shift_needs_a_long_span_and_a_tiny_one_is_of_no_interest() -> None:
    rng = np.random.default_rng(1)
    monitor = Monitor().fit({"x": rng.normal(size=20_000)})
    report = monitor.observe({"x": rng.normal(0.14, 1, size=16_000)}).panes[-1].report
    assert report is not None
    short, _, long = report.by_column["feature", "x"]
    assert (short.span, short.status) == (1, "OK")
    assert (long.span, long.status) == (16, "ALARM")
    tiny = monitor.compare({"x": rng.normal(0.05, 1, size=200_000)})
    assert tiny.blame[0].q < 1e-6
    assert tiny.alarms == ()


def test_few_values_are_insufficient_and_never_an_alarm() -> None:
    rng = np.random.default_rng(1)
    monitor = Monitor().fit({"x": rng.normal(size=1000), "y": rng.normal(size=1000)})
    report = monitor.compare({"x": rng.normal(9, 1, size=99), "y": rng.normal(size=99)})
    assert {column.status for column in report.columns} == {"INSUFFICIENT"}
    assert not report.drifted


def test_broken_columns_never_break_a_report() -> None:
    rng = np.random.default_rng(2)
    n = 2000
    reference = [
        {"null": None, "constant": 3, "good": x, "wild": x * 1e300, "text": "t", "flag": x > 0,
         "nested": {"a": 1}, "vanishes": x, "id": f"u{k}"}
        for k, x in enumerate(rng.normal(size=n).tolist())
    ]  # fmt: skip
    monitor = Monitor().fit(reference)
    current = [
        {"null": "now", "constant": 4, "good": x, "wild": math.inf if k % 2 else 10**400,
         "text": 7, "flag": "no", "nested": None, "appears": 1, "id": f"v{k}"}
        for k, x in enumerate(rng.normal(size=n).tolist())
    ]  # fmt: skip
    report = monitor.compare(current)
    assert len(report.columns) == 9
    alarms = set(report.alarms)
    assert {"null", "constant", "vanishes", "nested"} <= alarms
    assert not {"good", "id", "appears"} & alarms
    statuses = {column.name: column.status for column in report.columns}
    assert statuses["text"] == statuses["flag"] == "INSUFFICIENT"
    assert all(math.isfinite(column.js) for column in report.columns)
    observed = monitor.observe(current)
    assert observed.errors.all()
    assert observed.panes[-1].state == "HALTED"


def test_a_constant_that_moves_is_found_although_it_has_no_deviation() -> None:
    monitor = Monitor().fit({"x": np.full(1000, 0.003467)})
    (column,) = monitor.compare({"x": np.full(200, 0.003468)}).columns
    assert (column.status, column.wasserstein, column.js) == ("ALARM", None, 1.0)
    assert monitor.compare({"x": np.full(200, 0.003467)}).alarms == ()


def test_identifiers_are_no_drift() -> None:
    """Each category comes once: that the current ones are unseen was to be expected."""
    monitor = Monitor().fit([{"id": f"a{k}"} for k in range(5000)])
    (column,) = monitor.compare([{"id": f"b{k}"} for k in range(2000)]).columns
    assert (column.status, column.js) == ("OK", 0.0)
    assert monitor.compare([{"id": f"b{k % 20}"} for k in range(2000)]).alarms == ()


def test_bins_have_equal_mass_and_keep_heavy_values_apart() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=3200)
    bins = fit_bins(Column(values, None), Feature("x", "float"))
    assert bins.counts(Column(values, None)).tolist() == [100] * 32 + [0, 0]
    values[:1000] = 0.25
    bins = fit_bins(Column(values, None), Feature("x", "float"))
    assert isinstance(bins, NumericBins)
    counts = bins.counts(Column(values, None))
    own = int(bins.cells(Column(np.array([0.25]), None))[0])
    assert counts[own] == 1000
    assert bins.centres[own] == 0.25
    assert bins.label(own) == "0.25"


def test_counts_and_cells_agree_whatever_the_column_holds() -> None:
    rng = np.random.default_rng(0)
    values = rng.choice([1.0, 2.0, 2.5, np.nan], size=500)
    codes = np.where(np.isnan(values), rng.integers(1, 4, size=500), 0).astype(np.uint8)
    column = Column(values, codes)
    bins = fit_bins(column, Feature("x", "float"))
    assert (
        bins.counts(column).tolist()
        == np.bincount(bins.cells(column), minlength=bins.size + 2).tolist()
    )


def test_the_commonest_categories_are_named_and_the_rest_is_bounded() -> None:
    values = ["big"] * 500 + ["long" * 100] * 40 + [f"s{k}" for k in range(30_000)]
    bins = fit_bins(Column(values, None), Feature("x", "string"), categories=10)
    assert isinstance(bins, CategoricalBins)
    assert bins.categories == ("big",)
    assert len(bins.others) == 10_000


def batches(total: int, size: int) -> Iterator[list[str]]:
    for start in range(0, total, size):
        yield [f"c{k}" for k in range(start, start + size)]


def test_ten_million_distinct_categories_are_bounded_in_memory_and_time() -> None:
    monitor = Monitor(
        MonitorConfig(panes=PaneConfig(events=50_000)),
        schema=Schema((Feature("c", "string"),)),
    ).fit({"c": [f"c{k % 300}" for k in range(10_000)]})
    stream = batches(10_000_000, 50_000)
    for batch in itertools.islice(stream, 64):
        monitor.observe({"c": batch})
    tracemalloc.start()
    monitor.observe({"c": next(stream)})
    before = tracemalloc.get_traced_memory()[0]
    monitor.observe({"c": next(stream)})
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100_000
    began = time.perf_counter()
    for batch in stream:
        observed = monitor.observe({"c": batch})
    assert time.perf_counter() - began < 60
    report = observed.panes[-1].report
    assert report is not None
    assert report.by_column["feature", "c"][0].culprit == "(unseen)"
    assert len(monitor.panes) == 64


def autocorrelated(rng: np.random.Generator, n: int) -> np.ndarray:
    noise = rng.normal(size=n)
    x = np.empty(n)
    x[0] = noise[0]
    for k in range(1, n):
        x[k] = 0.99 * x[k - 1] + noise[k] * math.sqrt(1 - 0.99**2)
    return x


def test_the_guard_keeps_autocorrelation_from_crying_wolf() -> None:
    rng = np.random.default_rng(0)
    monitor = Monitor().fit({"x": autocorrelated(rng, 20_000)})
    reference = monitor.reference
    assert reference is not None
    guarded = SkewTest(reference, SkewConfig())
    naive = SkewTest(reference, SkewConfig())
    naive.guard = type(naive.guard).none((1, 4, 16), naive.known.counts)
    panes = [c.pane for c in monitor.observe({"x": autocorrelated(rng, 100_000)}).panes]
    rates = [
        np.mean([test.measure(pane.counts, 1).alarms.any() for pane in panes])
        for test in (naive, guarded)
    ]
    assert rates[0] > 0.3
    assert rates[1] < rates[0] / 5


def test_counts_of_another_layout_and_an_unfitted_monitor_are_refused() -> None:
    with pytest.raises(StateError):
        Monitor().compare([{"x": 1}])
    monitor = Monitor().fit({"x": np.arange(1000.0)})
    assert monitor.reference is not None
    with pytest.raises(LayoutMismatchError):
        SkewTest(monitor.reference).report({1: Pane("other")})


def test_spans_that_are_measured_together_are_as_each_alone() -> None:
    rng = np.random.default_rng(6)
    columns = {"x": rng.normal(size=9000), "c": rng.choice(["a", "b", "c"], 9000).tolist()}
    monitor = Monitor().fit(columns)
    assert monitor.reference is not None
    test = SkewTest(monitor.reference)
    drawn = [
        {"x": rng.normal(k / 5, 1, 1000 - 300 * k), "c": ["a", "d"] * (500 - 150 * k)}
        for k in range(3)
    ]
    # The first has missing values, and each fewer than the one before: thresholds differ.
    drawn[0]["x"][:90] = np.nan
    whole = Monitor(MonitorConfig(panes=PaneConfig(events=10_000)), schema=monitor.schema,
                    reference=monitor.reference)  # fmt: skip
    counts = []
    for batch in drawn:
        assert whole.recorder is not None
        before = whole.recorder.open.counts
        whole.observe(batch)
        counts.append(whole.recorder.open.counts - (before if len(before) else 0))
    together = test.measure(np.stack(counts), 1)
    for at, own in enumerate(counts):
        alone = test.measure(own, 1)
        for name in ("distance", "threshold", "ratio", "sizes", "sufficient"):
            assert getattr(alone, name).tolist() == getattr(together, name)[at].tolist()
    assert together.alarms.any(axis=1).tolist() == [True, True, True]
