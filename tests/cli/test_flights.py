"""The replay: in order, nothing of the future in an event, labels as flights land."""

import time
from itertools import islice

import pytest

from serve.demo import flights
from stream.errors import InputError


@pytest.fixture(scope="module")
def data():
    try:
        return flights.find_flights()
    except InputError as error:
        pytest.skip(str(error))


def test_the_first_event_is_there_within_a_second(data):
    started = time.process_time()  # other processes of a busy machine do not count
    first = next(flights.replay(data))
    seconds = time.process_time() - started
    print(f"first event after {seconds:.2f} s")
    assert seconds < 3  # half a second here; slow machines are not what this is about
    assert first.kind == "event"
    assert first.fields == {
        "flight_id": "2013-01-01T0515-EWR-UA-1545",
        "scheduled": "2013-01-01T10:15:00Z",
        "carrier": "UA",
        "origin": "EWR",
        "dest": "IAH",
        "distance": 1400,
        "hour": 5,
        "weekday": "Tue",
        "temp": 39.02,
        "dewp": 28.04,
        "humid": 64.43,
        "wind_speed": pytest.approx(12.65858),
        "precip": 0.0,
        "pressure": 1011.9,
        "visib": 10.0,
    }


def test_the_whole_year_in_order_with_unique_ids(data):
    ids, labelled, last = set(), set(), 0
    for message in flights.replay(data):
        assert message.time >= last
        last = message.time
        key = message.fields["flight_id"]
        if message.kind == "event":
            assert key not in ids
            ids.add(key)
            assert not {"late", "dep_delay", "arr_delay", "air_time"} & set(message.fields)
        else:
            assert key in ids
            assert key not in labelled
            labelled.add(key)
            assert set(message.fields) == {"flight_id", "late"}
    assert len(ids) == flights.FLIGHTS
    assert len(labelled) == 327_346


def test_a_label_comes_when_the_flight_lands(data):
    first = [m for m in flights.replay(data, 100) if "EWR-UA-1545" in str(m.fields["flight_id"])]
    event, label = first
    # Two minutes late at departure and 227 minutes in the air; 11 minutes late is not late.
    assert label.time - event.time == (2 + 227) * 60_000
    assert label.fields["late"] is False


def test_a_limit_gives_these_events_and_all_their_labels(data):
    messages = list(flights.replay(data, 1_000))
    assert sum(m.kind == "event" for m in messages) == 1_000
    whole = [
        m.fields["flight_id"] for m in islice(flights.replay(data), 3_000) if m.kind == "event"
    ]
    assert [m.fields["flight_id"] for m in messages if m.kind == "event"] == whole[:1_000]
    assert sum(m.kind == "label" for m in messages) == 989


def test_missing_data_say_how_to_install_them(monkeypatch):
    monkeypatch.setattr(flights, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'riverrun\[demo\]'"):
        flights.find_flights()
