"""Two references are compared column by column, whatever their bins are."""

from __future__ import annotations

import random

import pytest

from monitor.between import compare_references
from monitor.config import MonitorConfig
from monitor.fitting import fit_reference
from monitor.infer import infer_schema


def reference(seed, count=2_000, shift=0.0, colours="rgb", missing=0.0, **more):
    rng = random.Random(seed)
    rows = [
        {
            "x": rng.gauss(shift, 1.0),
            "c": rng.choice(colours),
            "f": rng.random() > 0.5,
        }
        | more
        for _ in range(count)
    ]
    for row in rows:
        if rng.random() < missing:
            row["x"] = None
    return fit_reference(rows, infer_schema(rows), MonitorConfig(), {})


def found(*references):
    return {one.name: one for one in compare_references(*references)}


@pytest.mark.parametrize("seed", range(0, 20, 2))
@pytest.mark.parametrize("count", [300, 2_000])
def test_the_same_data_is_alike(seed, count):
    one, other = reference(seed, count), reference(seed + 1, count)
    assert one.layout.fingerprint != other.layout.fingerprint, "their bins are not the same"
    assert {c.found for c in compare_references(one, other)} == {"alike"}


def test_a_shift_and_new_categories_are_found_with_their_size():
    columns = found(reference(1), reference(2, shift=0.5, colours="rgggy"))
    assert columns["x"].found == columns["c"].found == "differs"
    assert columns["f"].found == "alike"
    assert columns["x"].distance == pytest.approx(0.5, abs=0.08)
    assert (columns["x"].test, columns["c"].test) == ("wasserstein", "js")
    assert columns["c"].changed[0] == "b"
    assert next(iter(columns.values())).found == "differs", "these come first"


def test_missing_values_are_told():
    columns = found(reference(1), reference(2, missing=0.3))
    assert columns["x"].missing_after == pytest.approx(0.3, abs=0.04)


def test_columns_that_only_one_has_are_named():
    columns = found(reference(1), reference(2, extra=1.5))
    assert columns["extra"].found == "only_after"
    assert found(reference(2, extra=1.5), reference(1))["extra"].found == "only_before"


def test_another_kind_is_not_compared():
    assert found(reference(1, extra="a"), reference(2, extra=1.5))["extra"].found == "other_kind"


def test_few_values_say_so():
    assert found(reference(1, 40), reference(2))["x"].found == "insufficient"
