"""``min_offset``: reading what one has just written, by waiting for a model that has read it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec

from serve.api.live_model import Live
from serve.api.problems import FieldError, Problem, ProblemError, problem_of
from serve.api.served_stream import ServedStream

Offset = Annotated[int, msgspec.Meta(ge=0)]
MinOffset = Offset | dict[str, Offset] | None
"""How far the model must have read: in all, or in each of some partitions; next to read."""

_WAITING_MAX = 1_000
_RETRY = {"Retry-After": "1"}


def live_model(stream: ServedStream) -> Live:
    """Return the model that answers now.

    Raises
    ------
    ProblemError
        503 where there is none.
    """
    live = stream.models.live
    if live is not None:
        return live
    reason = stream.models.trouble or stream.models.store_trouble
    detail = (
        f"no model yet: the worker of {stream.name!r} has not committed a checkpoint; start "
        "it with 'riverrun worker'"
        if reason is None
        else f"no model can be loaded: {reason}"
    )
    raise ProblemError(problem_of(503, "no_model", detail), _RETRY)


async def model_that_read(stream: ServedStream, wanted: MinOffset) -> Live:
    """Return a model that has read so far; wait for one where need be.

    Parameters
    ----------
    stream
        Whose model.
    wanted
        The smallest ``learned_offset``, or the smallest next offset by partition.

    Raises
    ------
    ProblemError
        422 where there is no such partition, 409 where none came within ``api.offset_wait``,
        503 where too many wait, or there is no model.
    """
    live = live_model(stream)
    if wanted is None:
        return live
    _refuse_strange(stream, wanted)
    if has_read(live, wanted):
        return live
    if stream.waiting >= _WAITING_MAX:
        detail = f"{stream.waiting:,} requests wait for a newer model; try again"
        raise ProblemError(problem_of(503, "too_many_wait", detail), _RETRY)
    stream.waiting += 1
    try:
        async with asyncio.timeout(stream.config.api.offset_wait / 1000):
            return await _wait(stream, wanted)
    except TimeoutError:
        raise ProblemError(_not_reached(stream, wanted), _RETRY) from None
    finally:
        stream.waiting -= 1


def has_read(live: Live, wanted: Offset | dict[str, Offset]) -> bool:
    """Return whether a model has read so far."""
    if isinstance(wanted, int):
        return live.learned_offset >= wanted
    return all(live.offsets.get(place, 0) >= offset for place, offset in wanted.items())


def offsets_of(text: str) -> Offset | dict[str, Offset]:
    """Read what a query says: ``20418``, or ``flights.events-0:20418,flights.labels-0:7``.

    Raises
    ------
    ProblemError
        422 where it says neither.

    Examples
    --------
    >>> offsets_of("20418"), offsets_of("flights.events-0:7")
    (20418, {'flights.events-0': 7})
    """
    pairs = [part.rpartition(":") for part in text.split(",")]
    if not all(_is_offset(offset) for _, _, offset in pairs):
        message = (
            f"found {text[:80]!r}; an offset of at most 18 digits is expected, or "
            "'topic-partition:offset', with commas between them"
        )
        errors = [FieldError(field="query.min_offset", message=message)]
        raise ProblemError(
            problem_of(422, "wrong_min_offset", f"min_offset: {message}", errors=errors)
        )
    if len(pairs) == 1 and not pairs[0][1]:
        return int(text)
    return {place: int(offset) for place, _, offset in pairs}


def _is_offset(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


async def _wait(stream: ServedStream, wanted: Offset | dict[str, Offset]) -> Live:
    loop, swapped = asyncio.get_running_loop(), asyncio.Event()

    def told() -> None:
        loop.call_soon_threadsafe(swapped.set)

    stream.models.listen(told)
    try:
        while not has_read(live := live_model(stream), wanted):
            await swapped.wait()
            swapped.clear()
        return live
    finally:
        stream.models.unlisten(told)


def _refuse_strange(stream: ServedStream, wanted: Offset | dict[str, Offset]) -> None:
    if isinstance(wanted, int):
        return
    topics = (stream.config.events_topic, stream.config.labels_topic)
    for place in wanted:
        topic, _, partition = place.rpartition("-")
        if topic not in topics or not _is_offset(partition):
            message = (
                f"found {place[:300]!r}; the name of a partition is expected, such as "
                f"'{topics[0]}-0', as POST /events and /labels answer it"
            )
            errors = [FieldError(field=f"min_offset.{place[:300]}", message=message)]
            raise ProblemError(
                problem_of(422, "unknown_partition", f"min_offset: {message}", errors=errors)
            )


def _not_reached(stream: ServedStream, wanted: Offset | dict[str, Offset]) -> Problem:
    live = live_model(stream)
    read: int | dict[str, int] = live.learned_offset
    if not isinstance(wanted, int):
        read = {place: live.offsets.get(place, 0) for place in wanted}
    message = (
        f"the model has read up to {read} and not {wanted} within api.offset_wait = "
        f"{stream.config.api.offset_wait:,} ms; is the worker running, and how far behind is it?"
    )
    errors = [FieldError(field="min_offset", message=message)]
    return problem_of(409, "offset_not_reached", message, errors=errors)
