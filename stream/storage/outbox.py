"""The outbox: who is told of what happens, how far each has read, and what it is still to be told.

Happenings and changes of runs are written with the checkpoint in which they came true. A receiver
takes them from there, in one transaction with the place up to which it has read; so each becomes a
message exactly once, and is delivered at least once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    Connection,
    Engine,
    and_,
    delete,
    desc,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from stream.storage.database import reading, writing
from stream.storage.tables import (
    belongs_to,
    checkpoints,
    happenings,
    outbox,
    receivers,
    run_changes,
)

PAGE = 500
"""Happenings, and changes of runs, that are looked at together."""

_ERROR_LENGTH = 500


class Newest(NamedTuple):
    """The newest checkpoint, as far as receivers care."""

    number: int
    created_at: float
    version: str
    status: dict[str, Any]


class News(NamedTuple):
    """What was written down since a receiver last looked, oldest first.

    Parameters
    ----------
    happenings
        Rows with ``id``, ``at``, ``kind`` and ``detail``.
    changes
        Changes of runs, as ``Runs.changes`` returns them.
    newest
        The newest checkpoint, at least as new as both; None before the first.
    """

    happenings: Sequence[Mapping[str, Any]]
    changes: Sequence[Mapping[str, Any]]
    newest: Newest | None


class Message(NamedTuple):
    """Something a receiver is to be told.

    Parameters
    ----------
    key
        Stays the same however often it is sent.
    at
        Seconds since the epoch at which it came true.
    data
        The message, as plain data.
    """

    key: str
    at: float
    data: dict[str, Any]


class Waiting(NamedTuple):
    """A message that waits to be delivered."""

    id: int
    message: Message


Choose = Callable[[News, dict[str, Any]], tuple[list[Message], dict[str, Any]]]
"""From news and a receiver's state to messages and its next state."""


class _Place(NamedTuple):
    happening: int
    number: int
    position: int


class Delivery(msgspec.Struct, frozen=True):
    """How a receiver is doing.

    Parameters
    ----------
    sent, failed, dropped
        Messages delivered, tries that failed, and messages given up.
    waiting
        Messages that wait.
    sent_at
        Seconds since the epoch of the last delivery.
    last_error
        Why the last try failed; None where it did not.
    """

    sent: int
    failed: int
    dropped: int
    waiting: int
    sent_at: float | None
    last_error: str | None


class Outbox:
    """The receivers of one stream.

    Parameters
    ----------
    engine
        The store's.
    stream, shard
        Whose happenings they hear of.
    """

    def __init__(self, engine: Engine, stream: str, shard: str) -> None:
        self._engine = engine
        self._stream = stream
        self._shard = shard

    def begin(self, receiver: str) -> None:
        """Let a receiver that is new hear of what happens from now on."""
        with writing(self._engine) as connection:
            if self._place(connection, receiver) is None:
                place = self._end(connection)
                counts = {"sent": 0, "failed": 0, "dropped": 0}
                key = {"stream": self._stream, "receiver": receiver}
                row = key | place._asdict() | counts
                connection.execute(insert(receivers).values(**row, state={}))

    def take(self, receiver: str, choose: Choose) -> int:
        """Turn what happened since the last look into messages; return how many rows were read.

        Nothing is written where nothing came of it.
        """
        with reading(self._engine) as connection:
            row = connection.execute(self._mine(receiver)).one_or_none()
            if row is None:
                return 0
            place = _Place(row.happening, row.number, row.position)
            news = self._news(connection, place)
        messages, state = choose(news, dict(row.state))
        after = _after(place, news)
        if not messages and after == place and state == row.state:
            return 0
        with writing(self._engine) as connection:
            if self._place(connection, receiver) != place:
                return 0  # somebody else took them meanwhile
            values = after._asdict() | {"state": state}
            connection.execute(self._update(receiver).values(**values))
            if messages:
                key = {"stream": self._stream, "receiver": receiver}
                rows = [key | message._asdict() for message in messages]
                connection.execute(insert(outbox), rows)
        return len(news.happenings) + len(news.changes)

    def waiting(self, receiver: str, limit: int) -> list[Waiting]:
        """Return the messages that wait for a receiver, oldest first."""
        query = select(outbox).where(self._to(receiver)).order_by(outbox.c.id).limit(limit)
        with reading(self._engine) as connection:
            return [
                Waiting(row.id, Message(row.key, row.at, dict(row.data)))
                for row in connection.execute(query)
            ]

    def delivered(self, receiver: str, done: Waiting, now: float) -> None:
        """Take note that a message was delivered."""
        with writing(self._engine) as connection:
            self._remove(connection, receiver, done)
            values = {"sent": receivers.c.sent + 1, "sent_at": now, "last_error": None}
            connection.execute(self._update(receiver).values(**values))

    def failed(self, receiver: str, reason: str, refused: Waiting | None = None) -> None:
        """Take note of a try that failed; a message that was refused for good is given up."""
        values = {"failed": receivers.c.failed + 1, "last_error": reason[:_ERROR_LENGTH]}
        with writing(self._engine) as connection:
            if refused is not None:
                gone = self._remove(connection, receiver, refused)
                values["dropped"] = receivers.c.dropped + gone
            connection.execute(self._update(receiver).values(**values))

    def shed(self, receiver: str, keep: int, before: float) -> int:
        """Give up what is older than a time, and the oldest beyond a number; return how many."""
        newest = select(outbox.c.id).where(self._to(receiver)).order_by(desc(outbox.c.id))
        old = or_(outbox.c.at < before, outbox.c.id.not_in(newest.limit(keep)))
        mine = and_(self._to(receiver), old)
        with reading(self._engine) as connection:
            count = select(func.count()).select_from(outbox)
            if not connection.execute(count.where(mine)).scalar_one():
                return 0
        with writing(self._engine) as connection:
            gone = connection.execute(delete(outbox).where(mine)).rowcount
            dropped = self._update(receiver).values(dropped=receivers.c.dropped + gone)
            connection.execute(dropped)
        return gone

    def state(self, receiver: str) -> dict[str, Any]:
        """Return what a receiver remembers."""
        with reading(self._engine) as connection:
            row = connection.execute(self._mine(receiver)).one_or_none()
        return {} if row is None else dict(row.state)

    def deliveries(self) -> dict[str, Delivery]:
        """Return how each receiver is doing, by its name."""
        mine = receivers.c.stream == self._stream
        counted = (
            select(outbox.c.receiver, func.count())
            .where(outbox.c.stream == self._stream)
            .group_by(outbox.c.receiver)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(select(receivers).where(mine).order_by("receiver")).all()
            waiting = {row[0]: row[1] for row in connection.execute(counted)} if rows else {}
        return {
            row.receiver: Delivery(
                row.sent,
                row.failed,
                row.dropped,
                waiting.get(row.receiver, 0),
                row.sent_at,
                row.last_error,
            )
            for row in rows
        }

    def _news(self, connection: Connection, place: _Place) -> News:
        # The checkpoint is read last: it is never older than what came with it.
        happened = (
            select(happenings)
            .where(happenings.c.stream == self._stream, happenings.c.id > place.happening)
            .order_by(happenings.c.id)
            .limit(PAGE)
        )
        columns = (run_changes.c.number, run_changes.c.position)
        changed = (
            select(run_changes)
            .where(run_changes.c.stream == self._stream, tuple_(*columns) > tuple(place[1:]))
            .order_by(*columns)
            .limit(PAGE)
        )
        newest = (
            select(*(checkpoints.c[name] for name in Newest._fields))
            .where(belongs_to(checkpoints, self._stream, self._shard))
            .order_by(checkpoints.c.number.desc())
            .limit(1)
        )
        rows = [dict(row) for row in connection.execute(happened).mappings()]
        changes = [dict(row) for row in connection.execute(changed).mappings()]
        found = connection.execute(newest).one_or_none()
        return News(rows, changes, None if found is None else Newest(*found))

    def _end(self, connection: Connection) -> _Place:
        last = select(func.max(happenings.c.id)).where(happenings.c.stream == self._stream)
        change = (
            select(run_changes.c.number, run_changes.c.position)
            .where(run_changes.c.stream == self._stream)
            .order_by(run_changes.c.number.desc(), run_changes.c.position.desc())
            .limit(1)
        )
        number, position = connection.execute(change).one_or_none() or (0, 0)
        return _Place(connection.execute(last).scalar_one() or 0, number, position)

    def _place(self, connection: Connection, receiver: str) -> _Place | None:
        columns = (receivers.c[name] for name in _Place._fields)
        mine = and_(receivers.c.stream == self._stream, receivers.c.receiver == receiver)
        row = connection.execute(select(*columns).where(mine).with_for_update()).one_or_none()
        return None if row is None else _Place(*row)

    def _mine(self, receiver: str) -> Any:
        mine = and_(receivers.c.stream == self._stream, receivers.c.receiver == receiver)
        return select(receivers).where(mine)

    def _update(self, receiver: str) -> Any:
        mine = and_(receivers.c.stream == self._stream, receivers.c.receiver == receiver)
        return update(receivers).where(mine)

    def _to(self, receiver: str) -> Any:
        return and_(outbox.c.stream == self._stream, outbox.c.receiver == receiver)

    def _remove(self, connection: Connection, receiver: str, one: Waiting) -> int:
        # The key too: SQLite gives the number of a row that is gone to another one.
        mine = and_(self._to(receiver), outbox.c.id == one.id, outbox.c.key == one.message.key)
        return connection.execute(delete(outbox).where(mine)).rowcount


def _after(place: _Place, news: News) -> _Place:
    happening = news.happenings[-1]["id"] if news.happenings else place.happening
    last = news.changes[-1] if news.changes else None
    run = place[1:] if last is None else (last["number"], last["position"])
    return _Place(happening, *run)
