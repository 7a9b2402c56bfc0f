"""``demo --break``: each fault begins and ends when it says, and its alarm really comes."""

import json
import re

import pytest

from serve.demo.fault import Break, fault_of, faulty
from serve.demo.flights import Message, find_flights
from stream.errors import InputError


@pytest.fixture(autouse=True)
def data():
    try:
        return find_flights()
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture
def broken(riverrun):
    """Run the demo with a fault; return what was said before, during and after it, and the end."""

    def run(kind, events, speed):
        arguments = ("--events", events, "--speed", speed, "--exit", "--no-api", "--json")
        code, out, err = riverrun("demo", "--break", kind, *arguments)
        assert code == 0, err
        lines = [line for line in err.splitlines() if not line.startswith("date:")]
        assert lines[1].startswith("--break: from 2013-01-21 to 2013-0")
        assert "Expect: " in lines[1]
        begins = next(n for n, line in enumerate(lines) if line.startswith("FAULT BEGINS"))
        over = next((n for n, x in enumerate(lines) if x.startswith("FAULT IS OVER")), len(lines))
        parts = lines[2:begins], lines[begins:over], lines[over:]
        return (*("\n".join(part) for part in parts), json.loads(out))

    return run


def test_schema_halts_learning_and_a_clean_day_ends_it(broken):
    before, during, after, status = broken("schema", 26_000, "4d")
    assert "HALTED" not in before
    assert re.search(r"2013-01-2\d  monitor  HALTED, wants pause, alert", during + after)
    assert re.search(r"monitor  \w+, wants resume", after)
    assert status["monitor"]["state"] != "HALTED"
    assert status["monitor"]["totals"]["anomalies"]["wrong_type"]["distance"] > 1_000
    assert 1_000 < status["counts"]["dead_lettered"] < 1_500  # a third of four days
    assert status["counts"]["unlearned"] > 500


def test_values_raise_an_alarm_on_the_very_feature(broken):
    before, during, after, status = broken("values", 22_000, "4d")
    assert "in alarm: distance" not in before
    assert re.search(r"2013-01-2\d  monitor  in alarm: [^\n]*distance", during + after)
    assert re.search(r"monitor  WARNING, wants \w*,? ?challenge", during + after)
    assert status["monitor"]["totals"]["alarms"]["feature"]["distance"] >= 2
    assert status["counts"]["dead_lettered"] == 0


def test_concept_is_found_and_a_challenger_from_after_it_is_promoted(broken):
    # It is, after some 27,000 flights. A machine that trains slowly begins the shadow later.
    _, during, after, status = broken("concept", 38_000, "2d")
    told = during + after
    assert re.search(r"drift    the loss has changed, since about Jan 2\d", told)
    assert re.search(r"run \d+ +A run began: drift in pane", told)
    assert re.search(r"run \d+ +\d trained and in the shadow", told)
    assert re.search(r"run \d+ +v\d+ is better than v1 on", told)
    assert status["retrain"]["changes"]["promoted"] >= 1


def test_only_the_messages_of_its_time_are_broken_and_the_moments_are_said():
    fault = fault_of(Break.VALUES)
    times = [fault.begin - 1, fault.begin, fault.end - 1, fault.end]
    flights = [Message(t, "event", {"flight_id": "1", "distance": 1000}) for t in times]
    said = []
    sent = list(faulty(iter(flights), fault, said.append))
    assert [message.fields["distance"] for message in sent] == [1000, 1609, 1609, 1000]
    assert [line.split(" (")[0] for line in said] == ["FAULT BEGINS", "FAULT IS OVER"]
    assert flights[1].fields["distance"] == 1000


def test_each_fault_touches_what_it_names():
    event = {"flight_id": "1", "origin": "JFK", "distance": 2475}
    label = {"flight_id": "1", "late": True}

    def sent(kind, name, fields):
        return fault_of(kind).change(Message(0, name, fields)).fields

    assert sent(Break.SCHEMA, "event", event)["distance"] == "2475 mi"
    assert sent(Break.SCHEMA, "event", event | {"origin": "EWR"})["distance"] == 2475
    assert sent(Break.CONCEPT, "label", label)["late"] is False
    for kind in (Break.SCHEMA, Break.VALUES):
        assert sent(kind, "label", label) == label
    assert sent(Break.CONCEPT, "event", event) == event


def test_a_fault_that_does_not_exist_is_refused(riverrun):
    code, _, err = riverrun("demo", "--break", "everything")
    assert code == 2
    assert "schema" in err
