"""One event judged alone is judged as in a batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.counting import check_batch
from monitor.judge import EventJudge
from monitor.schema import Feature, Schema

NAMES = ["a", "b", "c", "d", "id", "new"]
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 2**53 + 1, "1", "x", "y", "true", 1.0, -1.0, 0]),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=1),
)
bounds = st.sampled_from([None, -1.0, 0.0, 1.5, 1e300])


@st.composite
def features(draw, name):
    kind = draw(st.sampled_from(["int", "float", "bool", "string", "any"]))
    low, high = draw(bounds), draw(bounds)
    if kind not in ("int", "float"):
        low = high = None
    elif low is not None and high is not None and low > high:
        low, high = high, low
    domain = draw(st.sampled_from([None, ("x", "y")])) if kind == "string" else None
    return Feature(
        name,
        kind,
        required=draw(st.booleans()),
        minimum=low,
        maximum=high,
        bounds_inferred=draw(st.booleans()),
        domain=domain,
        coerce=draw(st.booleans()),
    )


schemas = st.builds(
    lambda found, severity: Schema(tuple(found), severity, ("id",)),
    st.tuples(*(features(name) for name in NAMES[:4])),
    st.dictionaries(
        st.sampled_from(["unexpected_feature", "out_of_range", "wrong_type", "missing_feature"]),
        st.sampled_from(["error", "warning", "ignore"]),
    ),
)


@given(schema=schemas, event=st.dictionaries(st.sampled_from(NAMES), values))
def test_an_event_alone_has_the_anomalies_that_a_batch_finds_in_it(schema, event):
    found = check_batch([event], schema).anomalies.get(0, [])
    judge = EventJudge(schema)
    assert judge.anomalies(event) == tuple(found)
    assert not (judge.is_clean(event) and found)


@pytest.mark.parametrize("event", [{"a": 1.5, "b": "x"}, {"a": 2, "b": "x", "id": 9}, {"a": 0.0}])
def test_what_is_fine_is_found_without_the_batch(event):
    schema = Schema(
        (Feature("a", "float", minimum=0.0), Feature("b", "string", False, domain=("x",))),
        ignored=("id",),
    )
    assert EventJudge(schema).is_clean(event)
