"""Dead letters are read back as they were written, and marks of replays mean one thing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.dead_letters.journal import MARK_HEADER, Journal, Mark, Standing, mark_record, read_mark
from stream.dead_letters.letter import original_headers, read_letter
from stream.dead_letters.selection import Selection, parse_moment, parse_place
from stream.errors import InputError
from stream.events import Rejected
from stream.origin import Origin, Place, origin_headers
from stream.records import NewRecord, Record
from stream.step import DeadLetter, dead_letter_record, shortened

HEADERS = st.lists(
    st.tuples(
        st.one_of(
            st.text(max_size=20),
            st.sampled_from([
                "__connect.errors.topic", "__connect.errors.offset", "__connect.errors.stage",
                "riverrun-source-timestamp", "riverrun-omitted-bytes", MARK_HEADER,
            ]),
        ),
        st.binary(max_size=20),
    ),
    max_size=8,
).map(tuple)  # fmt: skip


def stands(new: NewRecord, offset: int = 3, timestamp: int = 9_000) -> Record:
    return Record("d", 1, offset, timestamp, new.key, new.value, new.headers)


def letter_of(source: Record, rejected: Rejected | None = None) -> Record:
    rejected = rejected or Rejected("decode", "invalid_json", "cut short")
    return stands(dead_letter_record(DeadLetter(source, rejected), "d"))


@given(HEADERS, st.binary(), st.integers(0, 10**13))
def test_whatever_a_record_holds_its_letter_gives_it_back(headers, value, timestamp):
    source = Record("s.events", 2, 7, timestamp, b"k", value, headers)
    record = letter_of(source)
    letter = read_letter(record)
    assert (letter.place, letter.time) == ("1:3", 9_000)
    assert letter.source == Place("s.events", 2, 7)
    assert letter.source_time == timestamp
    assert (letter.stage, letter.reason, letter.message) == ("decode", "invalid_json", "cut short")
    assert (letter.size, letter.omitted) == (len(value), False)
    assert original_headers(record) == headers


@given(st.lists(st.tuples(st.text(), st.binary())).map(tuple), st.none() | st.binary())
def test_any_record_is_read_or_is_none(headers, value):
    record = Record("d", 0, 0, 0, None, value, headers)
    read_letter(record)
    read_mark(record)


@given(st.binary())
def test_a_mark_in_another_form_is_none(value):
    assert read_mark(Record("d", 0, 0, 0, None, value, ((MARK_HEADER, b"1"),))) is None


def test_a_letter_without_bytes_tells_how_many_there_were():
    source = Record("s.events", 0, 7, 1, b"k", b"x" * 50)
    new = shortened(dead_letter_record(DeadLetter(source, Rejected("a", "b", "c")), "d"))
    letter = read_letter(stands(new))
    assert (letter.size, letter.omitted) == (50, True)


def test_a_letter_of_a_record_without_value_is_not_one_without_bytes():
    letter = read_letter(letter_of(Record("s.events", 0, 7, 1, None, None)))
    assert (letter.size, letter.omitted) == (None, False)


def test_a_letter_of_an_older_riverrun_takes_its_own_time():
    record = letter_of(Record("s.events", 0, 7, 1, None, b""))
    old = Record("d", 1, 3, 9_000, None, b"", record.headers[:-1])
    assert read_letter(old).first == Origin(Place("s.events", 0, 7), 9_000)


def test_long_texts_are_cut():
    record = letter_of(
        Record("s.events", 0, 7, 1, None, b""), Rejected("s", "k" * 900, "m" * 9_000)
    )
    letter = read_letter(record)
    assert (len(letter.reason), len(letter.message)) == (200 - len("riverrun."), 1_000)


def test_a_replay_is_known_as_one():
    origin = Origin(Place("s.events", 0, 2), 500)
    letter = read_letter(letter_of(Record("s.events", 0, 7, 1, None, b"", origin_headers(origin))))
    assert letter.origin == letter.first == origin
    assert not letter.bad_origin
    bad = letter_of(Record("s.events", 0, 7, 1, None, b"", (("riverrun-replayed-time", b"x"),)))
    assert read_letter(bad).bad_origin


ONE, TWO, THREE = (Place("s.events", 0, n) for n in (1, 2, 3))


def standing(batch, kind, *places, run="r", partition=0):
    return Standing(Mark(run, batch, kind, list(places), list(places)), partition, 0)


@pytest.mark.parametrize(
    ("marks", "states"),
    [
        ([standing(1, "begin", ONE)], ["open", None]),
        ([standing(1, "begin", ONE), standing(1, "done")], ["replayed", None]),
        ([standing(1, "begin", ONE), standing(2, "begin", TWO)], ["replayed", "open"]),
        ([standing(1, "begin", ONE, TWO), standing(1, "landed", TWO)], [None, "replayed"]),
        ([standing(1, "begin", ONE, TWO), standing(1, "landed")], [None, None]),
        # Of another partition, of another run: nothing is said.
        ([standing(1, "begin", ONE), standing(1, "landed", partition=1)], ["open", None]),
        ([standing(1, "begin", ONE), standing(1, "done", run="q")], ["open", None]),
        # Appended again by a second run, after the first was found not to have.
        ([standing(1, "begin", ONE), standing(1, "landed"), standing(1, "begin", ONE, run="q"),
          standing(1, "done", run="q")], ["replayed", None]),
    ],
)  # fmt: skip
def test_what_marks_mean_does_not_depend_on_their_order(marks, states):
    for order in itertools.permutations(marks):
        journal = Journal()
        for mark in (*order, *order):
            journal.take(mark)
        assert [journal.state(ONE), journal.state(TWO)] == states
        journal.close()


def test_a_mark_is_read_back():
    mark = Mark("r", 3, "begin", [ONE, TWO], [ONE, THREE], {"s.events-0": 12})
    record = stands(mark_record(mark, "d", 1))
    assert read_mark(record) == Standing(mark, 1, 9_000)
    assert read_letter(record) is None


@pytest.mark.parametrize(
    ("only", "places"),
    [
        ({}, [0, 1, 2, 3]),
        ({"stages": {"decode"}}, [0, 1]),
        ({"stages": {"decode", "check"}}, [0, 1, 2]),
        ({"reasons": {"missing_id"}}, [2]),
        ({"stages": {"predict"}, "reasons": {"missing_id"}}, []),
        ({"since": 1_001}, [1, 2, 3]),
        ({"since": 1_001, "until": 1_003}, [1, 2]),
        ({"places": {(1, 3), (0, 0)}}, [3]),
    ],
)
def test_a_selection(only, places):
    reasons = [("decode", "empty"), ("decode", "invalid_json"), ("check", "missing_id"),
               ("predict", "ValueError")]  # fmt: skip
    letters = []
    for offset, (stage, kind) in enumerate(reasons):
        source = Record("s.events", 0, 7, 1, None, b"")
        new = dead_letter_record(DeadLetter(source, Rejected(stage, kind, "")), "d")
        letters.append(read_letter(stands(new, offset, 1_000 + offset)))
    frozen = {k: frozenset(v) if isinstance(v, set) else v for k, v in only.items()}
    assert [each.offset for each in letters if each in Selection(**frozen)] == places


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1h", 10**13 - 3_600_000),
        ("1.5s", 10**13 - 1_500),
        ("2025-01-31T10:00:00Z", 1_738_317_600_000),
        ("2025-01-31T11:00:00+01:00", 1_738_317_600_000),
        ("2025-01-31", 1_738_281_600_000),
    ],
)
def test_moments(text, moment):
    assert parse_moment("--since", text, 10**13) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2h ago", "-2h", "9999-99-99", "2025-02-30"])
def test_a_moment_that_is_none_is_a_mistake(text):
    with pytest.raises(InputError, match="--until: found"):
        parse_moment("--until", text, 0)


@pytest.mark.parametrize(
    ("text", "partitions", "message"),
    [
        ("", [0], "partition:offset"),
        ("0:", [0], "partition:offset"),
        ("-1", [0], "partition:offset"),
        ("a:1", [0], "partition:offset"),
        ("٣", [0], "partition:offset"),
        ("0:1:2", [0], "partition:offset"),
        ("17", [0, 1], "2 partitions; name one, such as 0:17"),
        ("2:17", [0, 1], "no partition 2, only 0 to 1"),
    ],
)
def test_a_place_that_is_none_is_a_mistake(text, partitions, message):
    with pytest.raises(InputError, match=message):
        parse_place(text, partitions)
