"""What leaves the line: digests of features, and the record of a prediction."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.events import Served
from stream.records import Record
from stream.step import PredictionRow, features_hash, features_hashes, prediction_record

_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text())
_FEATURES = st.dictionaries(st.text(), st.one_of(_SCALARS, st.floats(allow_nan=False)))


@given(st.lists(_FEATURES, max_size=5))
def test_features_have_the_same_digest_together_as_alone(events):
    assert features_hashes(events) == [features_hash(features) for features in events]


def test_a_line_s_end_inside_a_text_is_no_end():
    events = [{"a": "x\ny"}, {"b": "\n\n"}, {"a": "x"}]
    assert features_hashes(events) == [features_hash(features) for features in events]


@pytest.mark.parametrize(
    ("task", "said", "answer", "probabilities"),
    [
        ("binary", 0.75, True, {"false": 0.25, "true": 0.75}),
        ("binary", None, None, None),
        ("multiclass", {"a": 0.75, "b": 0.25}, "a", {"a": 0.75, "b": 0.25}),
        ("multiclass", "b", "b", None),
        ("regression", 2.5, 2.5, None),
        ("anomaly", 0.5, 0.5, None),
    ],
)
def test_a_prediction_s_record_says_all_in_the_documented_order(task, said, answer, probabilities):
    event = Record("s.events", 3, 17, 1_000, b"k", b"{}", (("traceparent", b"00-1-2-01"),))
    row = PredictionRow(event, "a", 900, Served(said, "v2", 40), "worker", "00ff", 12)
    record = prediction_record(row, "s.predictions", task)
    assert list(msgspec.json.decode(record.value).items()) == [
        ("id", "a"),
        ("time", 900),
        ("prediction", answer),
        ("probabilities", probabilities),
        ("model_version", "v2"),
        ("learned_offset", 40),
        ("features_hash", "00ff"),
        ("source", "worker"),
        ("latency_ms", 12),
    ]
    assert (record.topic, record.key) == ("s.predictions", b"a")
    assert record.headers[:3] == (
        ("riverrun-source-topic", b"s.events"),
        ("riverrun-source-partition", b"3"),
        ("riverrun-source-offset", b"17"),
    )
