"""The schema, its text and its inference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import Feature, Schema, infer_schema, schema_from_toml, schema_to_toml
from monitor.anomalies import KINDS
from monitor.errors import ConfigError, SchemaError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.one_of(
    st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False, width=32)
)


@st.composite
def features(draw: st.DrawFn, name: str) -> Feature:
    kind = draw(st.sampled_from(["int", "float", "bool", "string", "any"]))
    numeric = kind in ("int", "float")
    bounds = sorted(draw(st.lists(numbers, min_size=2, max_size=2))) if numeric else [None, None]
    return Feature(
        name,
        kind,
        required=draw(st.booleans()),
        minimum=bounds[0],
        maximum=bounds[1],
        bounds_inferred=numeric and draw(st.booleans()),
        domain=tuple(draw(st.lists(texts, max_size=4))) if kind == "string" else None,
        min_domain_mass=draw(st.floats(0, 1)),
        max_missing=draw(st.none() | st.floats(0, 1)),
        coerce=draw(st.booleans()),
        max_cardinality=draw(st.none() | st.integers(1, 10**6)),
    )


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    names = draw(st.lists(texts, unique=True, max_size=6))
    severity = st.dictionaries(
        st.sampled_from(list(KINDS)), st.sampled_from(["error", "warning", "ignore"])
    )
    return Schema(
        tuple(draw(features(name)) for name in names[1:]),
        severity=draw(severity),
        ignored=tuple(names[:1]),
        min_events=draw(st.none() | st.integers(0, 10)),
    )


@given(schemas())
@settings(max_examples=150, deadline=None)
def test_any_schema_survives_the_trip_through_its_text(schema: Schema) -> None:
    assert schema_from_toml(schema_to_toml(schema)) == schema


@pytest.mark.parametrize(
    "name",
    ['a"]\nx = 1', "a.b", "", "\u2028", "\x00", "# no", "'''", "\\", "\ufeff", "ключ", "\x9b"],
)
def test_a_name_from_outside_cannot_break_out_of_its_quotes(name: str) -> None:
    text = schema_to_toml(Schema((Feature(name, "float"), Feature("after", "int"))))
    assert schema_from_toml(text).names == (name, "after")
    assert len([line for line in text.splitlines() if line.startswith("[features")]) == 2


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a = ", "schema"),
        ("typo = 1", "typo"),
        ("version = 2", "version"),
        ("features = 3", "features"),
        ("[features.a]", 'features."a"'),
        ('[features.a]\ntype = "int"\nmin = 3', 'features."a".min'),
        ('[features.a]\ntype = "int"\nminimum = "3"', 'features."a".minimum'),
        ('[features.a]\ntype = "real"', "a"),
        ('[features.a]\ntype = "string"\nminimum = 1', "a"),
        ('[features.a]\ntype = "int"\nminimum = 2\nmaximum = 1', "a"),
        ('[features.a]\ntype = "int"\nminimum = nan', "a"),
        ('[severity]\nbad_kind = "error"', "severity.bad_kind"),
        ('[severity]\nvolume = "fatal"', "severity.volume"),
    ],
)
def test_a_mistake_in_the_text_is_named(text: str, where: str) -> None:
    with pytest.raises(SchemaError) as caught:
        schema_from_toml(text)
    assert caught.value.where == where


def test_inference_declares_type_bounds_presence_and_domain() -> None:
    rows = [
        {"i": k % 7, "f": k / 3, "b": k % 2 == 0, "s": "ab"[k % 2], "id": f"n{k}", "null": None,
         "some": None if k % 10 == 0 else 1.5, "mixed": "x" if k == 3 else k, "list": [k]}
        for k in range(1000)
    ]  # fmt: skip
    schema = infer_schema(rows, ignored=["id"])
    declared = schema.by_name
    assert {name: f.type for name, f in declared.items()} == {
        "i": "int", "f": "float", "b": "bool", "s": "string", "null": "any", "some": "float",
        "mixed": "int", "list": "any",
    }  # fmt: skip
    assert (declared["i"].minimum, declared["i"].maximum) == (0, 6)
    assert declared["i"].bounds_inferred
    assert declared["s"].domain == ("a", "b")
    assert declared["i"].required
    assert not declared["some"].required
    assert declared["some"].max_missing == pytest.approx(0.1)
    assert "id" in schema.known


def test_inference_survives_what_cannot_be_declared() -> None:
    rows = [{"big": 10**400, "nan": math.nan, "\ud800": 1, "cat": "\ud800"}] * 20
    schema = infer_schema(rows)
    assert schema.names == ("big", "nan", "cat")
    assert schema.by_name["big"].maximum is None
    assert schema_from_toml(schema_to_toml(schema)) == schema


def test_inference_of_arrays_and_of_lists_agree() -> None:
    values = np.arange(100.0)
    assert infer_schema({"a": values}) == infer_schema([{"a": v} for v in values.tolist()])


def test_many_rare_categories_are_no_domain() -> None:
    assert infer_schema([{"s": f"v{k}"} for k in range(50)]).by_name["s"].domain is None


def test_configuration_reports_all_mistakes_at_once() -> None:
    from monitor.config import SkewConfig

    with pytest.raises(ConfigError) as caught:
        SkewConfig(bins=1, spans=(4, 1), false_alarms="often", js_floor=2)
    assert len(caught.value.mistakes) == 4
    with pytest.raises(ConfigError, match="above 0"):
        SkewConfig(false_alarms="1 per 0 panes")
