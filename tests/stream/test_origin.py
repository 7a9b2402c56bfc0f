"""A replayed record is the event that it was: same id, same time; forged headers are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.config import EventSection
from stream.events import Decoder, Event, LabelMessage, Rejected
from stream.labels import LabelReader
from stream.origin import Origin, Place, origin_headers, read_origin
from stream.records import Record
from stream.step import DeadLetter, dead_letter_record
from tests.lines import as_bytes, make_config, make_line

FIRST = Origin(Place("s.events", 2, 7), 10**12)
FROM = b'{"topic":"s.events","partition":2,"offset":7}'
NOW = 10**12 + 86_400_000


def decoder(**event):
    return Decoder(EventSection(**({"label": "y"} | event)), LabelReader("binary", None))


def record(row, headers=(), key=None, timestamp=NOW):
    return Record("s.events", 0, 99, timestamp, key, as_bytes(row), headers)


def test_an_id_from_the_place_and_a_time_from_the_record_stay_those_of_the_first_append():
    first = Record("s.events", 2, 7, 10**12, None, b'{"x": 1}')
    again = record({"x": 1}, origin_headers(FIRST))
    assert decoder().event(again) == decoder().event(first)
    assert decoder().event(again) == Event("s.events-2-7", 10**12, {"x": 1}, None, None)


def test_without_the_headers_it_would_be_another_event():
    assert decoder().event(record({"x": 1})).id == "s.events-0-99"


def test_a_key_or_a_field_wins_over_the_place():
    headers = origin_headers(FIRST)
    assert decoder().event(record({"x": 1}, headers, key=b"k")).id == "k"
    read = decoder(id="id", time="t").event(record({"id": "a", "t": 5}, headers))
    assert (read.id, read.time) == ("a", 5)


def test_a_label_has_the_id_of_its_first_append_too():
    read = decoder().label(record({"y": True}, origin_headers(FIRST)))
    assert read == LabelMessage("s.events-2-7", True)


def test_max_future_is_judged_by_the_first_append():
    row = {"id": "a", "t": NOW}
    strict = decoder(id="id", time="t", max_future=1_000)
    assert isinstance(strict.event(record(row)), Event)
    assert strict.event(record(row, origin_headers(FIRST))).kind == "future_time"


@pytest.mark.parametrize(
    "headers",
    [
        [("riverrun-replayed-from", FROM)],
        [("riverrun-replayed-time", b"1000")],
        [("riverrun-replayed-from", FROM), ("riverrun-replayed-from", FROM)],
        [("riverrun-replayed-from", FROM), ("riverrun-replayed-time", b"1"),
         ("riverrun-replayed-time", b"1")],
        *[[("riverrun-replayed-from", FROM), ("riverrun-replayed-time", text)]
          for text in (b"", b"soon", b"1.5", b" 1", b"1e3", b"\xff", b"9" * 16, b"\xd9\xa1")],
        *[[("riverrun-replayed-from", place), ("riverrun-replayed-time", b"1000")]
          for place in (
              b"", b"{}", b"[]", b"\xff", b"s.events-2-7",
              b'{"topic":"s.events","partition":-1,"offset":7}',
              b'{"topic":"s.events","partition":2,"offset":-1}',
              b'{"topic":"s.events","partition":2.5,"offset":7}',
              b'{"topic":"s.events","partition":"2","offset":7}',
              b'{"topic":"s.events","partition":2,"offset":99999999999999999999}',
              b'{"topic":"","partition":2,"offset":7}',
              b'{"topic":"a b","partition":2,"offset":7}',
              b'{"topic":"s.events\\n","partition":2,"offset":7}',
              b'{"topic":"s.events","partition":2,"offset":7,"more":1}')],
    ],
)  # fmt: skip
def test_headers_in_another_form_make_a_dead_letter(headers):
    for read in (decoder().event, decoder().label):
        rejected = read(record({"x": 1, "y": True}, tuple(headers)))
        assert isinstance(rejected, Rejected)
        assert (rejected.stage, rejected.kind) == ("decode", "invalid_header")
        assert "riverrun-replayed-" in rejected.message


def test_a_replay_that_comes_before_its_first_append_is_refused():
    """Or a forged time would push the watermark, and expire all that waits."""
    far = Origin(FIRST.place, NOW + 8 * 86_400_000)
    rejected = decoder().event(record({"x": 1}, origin_headers(far)))
    assert (rejected.kind, "max_future" in rejected.message) == ("invalid_header", True)
    near = Origin(FIRST.place, NOW + 1_000)
    assert decoder().event(record({"x": 1}, origin_headers(near))).time == NOW + 1_000


@given(st.lists(st.tuples(
    st.sampled_from(["riverrun-replayed-from", "riverrun-replayed-time", "other"]), st.binary()
)))  # fmt: skip
def test_whatever_the_headers_hold_a_record_is_read_or_rejected(headers):
    read = decoder().event(record({"x": 1}, tuple(headers)))
    assert isinstance(read, Event | Rejected)


@given(st.integers(0, (1 << 31) - 1), st.integers(0, (1 << 63) - 1), st.integers(-1, 10**15 - 1))
def test_what_a_replay_writes_is_read_back(partition, offset, time):
    origin = Origin(Place("s.events", partition, offset), time)
    assert read_origin(origin_headers(origin)) == origin


def test_a_line_drops_the_second_replay_of_an_event_without_id_and_time():
    line = make_line(make_config(event={"id": None, "time": None}))
    row = as_bytes({"a": 1.0, "y": True})
    for offset in (5, 6, 7):
        place = Origin(Place("s.events", 0, 3), 900)
        line.handle([Record("s.events", 0, offset, 5_000, None, row, origin_headers(place))], 0)
    assert (line.counts.learned, line.counts.repeated) == (1, 2)
    assert line.watermark == 900


def test_a_dead_letter_tells_when_its_record_was_appended():
    source = Record("t", 0, 7, 1_234, b"k", b"{", (("mine", b"1"),))
    letter = dead_letter_record(DeadLetter(source, Rejected("decode", "x", "y")), "d")
    assert letter.headers[0] == ("mine", b"1")
    assert dict(letter.headers)["riverrun-source-timestamp"] == b"1234"
