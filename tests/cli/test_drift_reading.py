"""Reading for ``riverrun drift``: what is counted is what the monitor would count."""

import math
import random

import numpy as np
import pytest

from monitor import Monitor
from monitor.config import SkewConfig
from serve.cli.drift_choice import Choice
from serve.cli.drift_files import compare_files
from serve.cli.drift_survey import survey
from serve.tabular.kinds import kind_of, read_cells
from serve.tabular.roles import Trail, role_of


def test_figures_are_those_of_the_monitor_in_a_notebook(here):
    rng = random.Random(4)
    columns = {}
    for name, mean in (("a.csv", 0.0), ("b.csv", 0.2)):
        x = [None if rng.random() < 0.1 else round(rng.gauss(mean, 1), 3) for _ in range(15_000)]
        c = [rng.choice("abcdefg") for _ in range(15_000)]
        columns[name] = {"x": x, "c": c}
        lines = (f"{'' if v is None else v},{k}\n" for v, k in zip(x, c, strict=True))
        (here / name).write_text("x,c\n" + "".join(lines))
    result = compare_files(here / "a.csv", here / "b.csv", Choice(), SkewConfig())
    report = Monitor().fit(columns["a.csv"]).compare(columns["b.csv"])
    assert {each.skew for each in result.features} == set(report.columns)


def test_a_column_that_begins_late_is_read_by_what_it_holds_then(here):
    late = [None] * 11_000 + [0.5, 1.5, 2.5] * 1_000
    (here / "a.csv").write_text("k,late\n" + "".join(f"1,{'' if v is None else v}\n" for v in late))
    found = survey(here / "a.csv", Choice())
    assert found.features["late"].type == "float"
    column = found.checked("late")
    assert np.isnan(column.values).sum() == 11_000


def test_false_alarms_keep_to_the_budget(here):
    """At one in five reports and without effect floors, forty reports have eight, give or take."""
    alarms = 0
    config = SkewConfig(false_alarms="1 per 5 panes", wasserstein_floor=0.0, js_floor=0.0)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        for name in ("a.csv", "b.csv"):
            rows = rng.normal(size=(600, 3)).round(4).tolist()
            (here / name).write_text("x,y,z\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
        alarms += bool(compare_files(here / "a.csv", here / "b.csv", Choice(), config).drifted)
    assert 1 <= alarms <= 17


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "2", ""], "int"),
        (["1", "2e3"], "float"),
        (["1"] * 99 + ["x"], "int"),
        (["1"] * 9 + ["x"], "string"),
        (["007", "012"], "string"),
        (["1_000", "2_000"], "string"),
        (["٣", "٤"], "string"),
        (["true", "False"], "bool"),
        (["inf", "1.5"], "float"),
        (["NA", "null", ""], "any"),
        (["nan", "1"], "int"),
    ],
)
def test_kinds_of_csv_columns(texts, kind):
    assert kind_of(texts, True) == kind


def test_cells_that_do_not_fit_stay_what_they_are():
    assert read_cells(["1", "x", "", "-inf", "007"], "float") == [1.0, "x", None, -math.inf, "007"]
    assert read_cells(["1", "2.0", "2.5", ""], "int") == [1, 2, 2.5, None]
    assert read_cells(["yes", "maybe", ""], "bool") == [True, "maybe", None]
    assert read_cells(["NA", "EU", ""], "string", ("NA",)) == ["NA", "EU", None]
    assert read_cells(["5", "NA"], "string") == ["5", None]


@pytest.mark.parametrize(
    ("name", "kind", "values", "expected"),
    [
        ("anything", "string", [f"u{n}" for n in range(100)], "differs in nearly every row"),
        ("row", "int", list(range(100)), "differs in every row and rises"),
        ("userId", "int", [n * 7919 % 1009 for n in range(1000)], "is named as an id"),
        ("at", "int", [1_700_000_000 + n % 9 for n in range(100)], "holds times"),
        ("born", "string", ["1990-02-03", "2001-01-01"] * 50, "holds times"),
        ("store_id", "int", [n % 30 for n in range(1000)], None),
        ("price", "int", [n * 7919 % 1009 for n in range(1000)], None),
        ("humid", "int", [n * 7919 % 1009 for n in range(1000)], None),
        ("city", "string", ["Rome", "Oslo"] * 50, None),
        ("x", "float", [math.sin(n) for n in range(1000)], None),
        ("few", "string", ["a", "b"], None),
    ],
)
def test_ids_and_times_are_recognised_and_others_are_not(name, kind, values, expected):
    found = role_of(name, kind, values)
    assert found is None if expected is None else found.startswith(expected)


def trail(*batches):
    found = Trail()
    for batch in batches:
        found.follow(batch)
    return found


def test_clocks_rise_and_the_hour_of_the_day_does_not_count_as_one():
    clock = np.arange(300.0)
    assert trail(clock[:100], clock[100:]).is_clock()
    assert trail(list(range(300))).is_clock()
    assert not trail(np.arange(300.0) % 24).is_clock()
    assert not trail(np.random.default_rng(1).normal(size=300)).is_clock()
    assert not trail(np.full(300, 5.0)).is_clock()
    assert not trail(["a"] * 300).is_clock()
    set_back = clock.copy()
    set_back[150:] -= 3
    assert trail(set_back).is_clock()
    assert not trail(clock).goes_on_in(trail(clock))
    assert trail(clock).goes_on_in(trail(clock + 299))
