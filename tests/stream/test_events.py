"""Records become events and labels, or a reason that a person can act on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.events import SERVED_HEADER, Decoder, Event, Rejected, Served, parse_time
from stream.labels import LabelReader
from stream.records import Record
from stream.sections import EventSection
from tests.lines import as_bytes

ROOT = Path(__file__).parents[2]


def decoder(task="binary", classes=None, **event):
    section = EventSection(**({"id": "id", "time": "t", "label": "y"} | event))
    return Decoder(section, LabelReader(task, classes))


def record(row, timestamp=10**12, headers=(), key=None):
    return Record("s.events", 0, 3, timestamp, key, as_bytes(row), headers)


def test_every_other_field_is_a_feature():
    event = decoder().event(record({"id": 7, "t": 5, "y": 1, "x": 1.5, "c": "UA", "n": None}))
    assert event == Event("7", 5, {"x": 1.5, "c": "UA"}, True, None)


def test_nulls_can_be_kept_for_a_pipeline_that_imputes():
    event = decoder(nulls="keep", features=["x", "gone"]).event(
        record({"id": "a", "t": 1, "x": None})
    )
    assert event.features == {"x": None, "gone": None}


def test_names_outside_ascii_are_names_like_others():
    """In a process of its own: msgspec forgets such a name only where it was never encoded."""
    code = (
        "from tests.stream.test_events import decoder, record;"
        "event = decoder(features=['größe', 'b'], types={'größe': 'float'}).event("
        'record(\'{"id": 1, "t": 1, "größe": 2, "b": 3}\'.encode()));'
        "assert event.features == {'größe': 2.0, 'b': 3}, event"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr


def test_named_features_leave_the_rest_alone():
    event = decoder(features=["x", "id"]).event(record({"id": "a", "t": 1, "x": 2, "z": 3}))
    assert event.features == {"x": 2, "id": "a"}


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (b"{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b"[1, 2]", "wrong_type"),
        (b'"text"', "wrong_type"),
        ({"id": "a", "t": 1, "x": [1]}, "wrong_type"),
        ({"id": "a", "t": 1, "x": {"y": 1}}, "wrong_type"),
        (b'{"id": "a", "t": 1, "x": NaN}', "invalid_json"),
        (b'{"id": "a", "t": 1, "x": 1e999}', "wrong_type"),
        ({"t": 1}, "missing_id"),
        ({"id": None, "t": 1}, "missing_id"),
        ({"id": "", "t": 1}, "wrong_id"),
        ({"id": "x" * 513, "t": 1}, "wrong_id"),
        ({"id": 1.5, "t": 1}, "wrong_id"),
        ({"id": True, "t": 1}, "wrong_id"),
        ({"id": "a"}, "wrong_time"),
        ({"id": "a", "t": "yesterday"}, "wrong_time"),
        ({"id": "a", "t": 10**15}, "wrong_time"),
        ({"id": "a", "t": "2999-01-01T00:00:00Z"}, "future_time"),
        ({"id": "a", "t": 1, "y": "maybe"}, "wrong_label"),
        ({"id": "a", "t": 1, "y": 2}, "wrong_label"),
        (b"[" * 100_000, "wrong_type"),
        (b'{"a":' * 100_000, "wrong_type"),
    ],
)
def test_what_cannot_be_used_says_why(row, kind):
    rejected = decoder().event(record(row))
    assert isinstance(rejected, Rejected)
    assert rejected.kind == kind
    assert len(rejected.message) < 400


def test_an_empty_record_is_rejected():
    assert decoder().event(Record("s.events", 0, 0, 0, b"k", None)).kind == "empty"


def test_a_record_over_the_limit_is_rejected_undecoded():
    assert decoder(max_bytes=10).event(record({"id": "a", "t": 1})).kind == "too_large"


@pytest.mark.parametrize("features", [None, ["n", "f"]])
def test_declared_types_are_checked(features):
    check = decoder(types={"n": "int", "f": "float"}, features=features)
    assert check.event(record({"id": "a", "t": 1, "n": 3, "f": 2})).features == {"n": 3, "f": 2.0}
    assert check.event(record({"id": "a", "t": 1, "n": 3.5})).kind == "wrong_type"
    assert "`$.f`" in check.event(record({"id": "a", "t": 1, "f": "2"})).message
    assert check.event(record({"id": "a", "t": 1, "n": None})).features == {}


def test_without_an_id_field_the_key_or_the_place_is_the_id():
    place = decoder(id=None)
    assert place.event(record({"t": 1})).id == "s.events-0-3"
    assert place.event(record({"t": 1}, key=b"k\xff")).id == "k\\xff"


def test_without_a_time_field_the_append_time_counts():
    assert decoder(time=None).event(record({"id": "a"}, timestamp=77)).time == 77


def test_the_prediction_of_the_api_comes_in_a_header():
    served = Served(0.25, "v3", 99)
    headers = ((SERVED_HEADER, msgspec.json.encode(served)),)
    assert decoder().event(record({"id": "a", "t": 1}, headers=headers)).served == served
    broken = ((SERVED_HEADER, b"{}"),)
    assert decoder().event(record({"id": "a", "t": 1}, headers=broken)).kind == "invalid_header"


def test_a_label_message_needs_an_id_and_a_label():
    read = decoder().label
    assert (read(record({"id": "a", "y": False})).label) is False
    assert read(record({"id": "a"})).kind == "missing_label"
    assert read(record({"y": True})).kind == "missing_id"
    assert read(record({"id": "a", "y": "x"})).kind == "wrong_label"
    assert read(record(b"")).kind == "invalid_json"


def test_labels_by_task():
    assert LabelReader("regression", None)(2) == 2.0
    assert LabelReader("regression", None)("2") is None
    assert LabelReader("regression", None)(True) is None
    assert LabelReader("multiclass", None)("a") == "a"
    assert LabelReader("multiclass", None)(2.0) == 2
    assert LabelReader("multiclass", ["a", "b"])("c") is None
    assert LabelReader("anomaly", None)(1) is True
    assert LabelReader("binary", ["no", "yes"])("yes") is True
    assert LabelReader("binary", ["no", "yes"])(True) is None


@given(st.integers(-(10**12), 10**14))
def test_a_time_survives_being_written_as_rfc_3339(milliseconds):
    from datetime import UTC, datetime, timedelta

    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert parse_time(moment.isoformat()) == milliseconds


@given(st.binary(max_size=300))
def test_no_bytes_ever_raise(data):
    assert isinstance(decoder().event(record(data)), Event | Rejected)
    decoder().label(record(data))


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=5),
    )
)
def test_features_read_again_are_the_same(fields):
    row = as_bytes(fields | {"id": "a", "t": 1})
    for nulls in ("drop", "keep"):
        check = decoder(nulls=nulls)
        event = check.event(record(row))
        if isinstance(event, Event):
            assert check.features_of(row) == event.features
