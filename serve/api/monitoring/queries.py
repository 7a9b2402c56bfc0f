"""What requests about the past may say: a range of event time, and a page."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Annotated, NamedTuple, TypeVar

import msgspec
from fastapi import Query

from serve.api.problems import FieldError, ProblemError, problem_of
from stream.events import parse_time

T = TypeVar("T")

LIMIT, LIMIT_MAX = 100, 1_000
_NUMBER = re.compile(r"-?\d{1,15}")
_LOST_PLUS = re.compile(r"(T[\d:.]+) (\d\d:?\d\d)$")
_TIME = "RFC 3339, or milliseconds since the epoch"


class TimeRange(NamedTuple):
    """A range of event time, in seconds since the epoch; None is open."""

    start: float | None
    end: float | None

    @property
    def is_given(self) -> bool:
        """Whether anything was asked for."""
        return self.start is not None or self.end is not None


class Page(NamedTuple):
    """Which part of a list: how many, and behind which place."""

    limit: int
    cursor: str | None

    def after(self, kind: type[T]) -> T | None:
        """Return the place that the cursor names; None for the first page.

        Parameters
        ----------
        kind
            What ``cursor_of`` was given.

        Raises
        ------
        ProblemError
            422 where it is none of ours.
        """
        if self.cursor is None:
            return None
        try:
            data = base64.urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4))
            return msgspec.msgpack.decode(data, type=kind)
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            message = "it is not one that an answer gave as 'next'; leave it out to begin anew"
            raise invalid("cursor", message) from None


def cursor_of(place: object) -> str:
    """Return a cursor behind a place.

    Examples
    --------
    >>> Page(10, cursor_of((3, 7))).after(tuple[int, int])
    (3, 7)
    """
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


def time_range(
    start: Annotated[
        str | None,
        Query(
            alias="from",
            max_length=64,
            description=f"Event time from which on: {_TIME}. Of panes, those that reach into "
            "the range belong to it.",
            examples=["2013-06-01T00:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        str | None,
        Query(
            alias="to",
            max_length=64,
            description=f"Event time before which: {_TIME}.",
            examples=["1370044800000"],
        ),
    ] = None,
) -> TimeRange:
    """Read the range of event time that a request asks for.

    Raises
    ------
    ProblemError
        422, with the field.
    """
    found = TimeRange(_seconds("from", start), _seconds("to", end))
    if found.start is not None and found.end is not None and found.start >= found.end:
        raise invalid("to", f"{end!r} is not after from = {start!r}")
    return found


def page(
    limit: Annotated[
        int, Query(ge=1, le=LIMIT_MAX, description="How many entries at most.")
    ] = LIMIT,
    cursor: Annotated[
        str | None,
        Query(max_length=2_000, description="The `next` of the page before; opaque."),
    ] = None,
) -> Page:
    """Read which page a request asks for."""
    return Page(limit, cursor)


def invalid(field: str, message: str) -> ProblemError:
    """Return the problem that a field of the query is wrong."""
    errors = [FieldError(field=f"query.{field}", message=message)]
    detail = f"query.{field}: {message}"
    return ProblemError(problem_of(422, "invalid_request", detail, errors=errors))


def moment(seconds: float) -> datetime | None:
    """Return a time as answers show it; None beyond the years 1 to 9999.

    Examples
    --------
    >>> moment(1357034400.5).isoformat()
    '2013-01-01T10:00:00.500000+00:00'
    """
    try:
        return datetime.fromtimestamp(round(seconds, 3), UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _seconds(field: str, text: str | None) -> float | None:
    if text is None:
        return None
    # In a query, a plus that was not escaped is a space.
    text = _LOST_PLUS.sub(r"\1+\2", text.strip())
    found = parse_time(int(text) if _NUMBER.fullmatch(text) else text)
    if found is None:
        raise invalid(field, f"{text!r} is no time; give {_TIME}")
    return found / 1000
