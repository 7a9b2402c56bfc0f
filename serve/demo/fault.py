"""Faults that the demo makes on purpose, so that each alarm can be seen.

A fault is a change of the messages within a stretch of event time; nothing else knows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from serve.demo.flights import Message, Scalar

_DAY = 86_400_000
_BEGIN = round(datetime(2013, 1, 21, 5, tzinfo=UTC).timestamp() * 1000)
"""Midnight in New York, twenty days after the first flight: the warm-up is over by then."""


class Break(StrEnum):
    """What can be broken."""

    SCHEMA = "schema"
    VALUES = "values"
    CONCEPT = "concept"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, when it begins and ends, and what a person is told of it.

    Parameters
    ----------
    begin, end
        Event time in milliseconds; the end is excluded.
    change
        Makes what is sent of what should have been sent.
    what
        What goes wrong, in a sentence.
    expected
        What riverrun should make of it.
    after
        What can be done when it is over.
    """

    begin: int
    end: int
    change: Callable[[Message], Message]
    what: str
    expected: str
    after: str

    def announcement(self) -> str:
        """Return when it will be, and what is to be expected."""
        return (
            f"--break: from {_day(self.begin)} to {_day(self.end)} {self.what} "
            f"Expect: {self.expected}"
        )


def faulty(
    messages: Iterator[Message], fault: Fault | None, say: Callable[[str], None]
) -> Iterator[Message]:
    """Yield the messages with a fault in them, and say when it begins and when it is over.

    Parameters
    ----------
    messages
        In order of their time.
    fault
        None changes nothing.
    say
        Told as the first message within, and the first one after, is taken.
    """
    if fault is None:
        yield from messages
        return
    began = ended = False
    for message in messages:
        if not began and message.time >= fault.begin:
            began = True
            say(f"FAULT BEGINS ({_day(fault.begin)}): {fault.what}")
        if began and not ended and message.time >= fault.end:
            ended = True
            say(f"FAULT IS OVER ({_day(fault.end)}). {fault.after}")
        yield fault.change(message) if fault.begin <= message.time < fault.end else message


def fault_of(kind: Break) -> Fault:
    """Return the fault of a name.

    Examples
    --------
    >>> fault = fault_of(Break.CONCEPT)
    >>> fault.change(Message(0, "label", {"flight_id": "1", "late": True})).fields["late"]
    False
    """
    return _FAULTS[kind]


def _text_at_jfk(message: Message) -> Message:
    if message.kind != "event" or message.fields["origin"] != "JFK":
        return message
    return _with(message, {"distance": f"{message.fields['distance']} mi"})


def _metric(message: Message) -> Message:
    if message.kind != "event":
        return message
    return _with(message, {"distance": round(1.609344 * float(message.fields["distance"]))})


def _inverted(message: Message) -> Message:
    if message.kind != "label":
        return message
    return _with(message, {"late": not message.fields["late"]})


def _with(message: Message, fields: Mapping[str, Scalar]) -> Message:
    return message._replace(fields={**message.fields, **fields})


def _day(moment: int) -> str:
    # The flights' days are New York's.
    return f"{datetime.fromtimestamp(moment / 1000 - 5 * 3600, UTC):%Y-%m-%d}"


_FAULTS: Mapping[Break, Fault] = {
    Break.SCHEMA: Fault(
        _BEGIN,
        _BEGIN + 4 * _DAY,
        _text_at_jfk,
        'events from JFK have their distance as text, such as "2475 mi": a third of all.',
        "dead letters, the state HALTED (learning pauses, predictions go on), and a resume by "
        "itself with the first clean day.",
        "A clean day ends the halt. The letters: riverrun dead-letters list.",
    ),
    Break.VALUES: Fault(
        _BEGIN,
        _BEGIN + 10 * _DAY,
        _metric,
        "distances come in kilometres instead of miles.",
        "distance in alarm with the first day that closes, the state WARNING or beyond, and a "
        "challenger.",
        "The values are as before; the longest span that is tested has 16 days, so that the alarm "
        "outlasts the fault.",
    ),
    Break.CONCEPT: Fault(
        _BEGIN,
        _BEGIN + 25 * _DAY,
        _inverted,
        "labels are inverted: late is not late, and the other way round.",
        "a changed loss within days, and a challenger trained on what came "
        "after the change, which is promoted on the evidence.",
        "To the model in place that is a change as large as the first one.",
    ),
}
