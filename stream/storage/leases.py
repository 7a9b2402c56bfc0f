"""Leases: what one process at a time holds, unless it falls silent.

They decide who does some work, never who may write: that is the epochs' part. So two who both
believe to hold a lease, as after a frozen process or a clock that jumped, spoil nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, and_, delete, insert, select, text, update

from stream.storage.database import reading, writing
from stream.storage.tables import leases

_MEMBER = "member/"
_SHARD = "shard/"


class Part(NamedTuple):
    """What a member has of the shards.

    Parameters
    ----------
    held
        Numbers of the shards that are its own.
    too_many
        Those of them that it had better give up, since others have fewer.
    members
        How many share the shards.
    """

    held: frozenset[int]
    too_many: frozenset[int]
    members: int


class Leases:
    """The leases of one stream.

    Parameters
    ----------
    engine
        The store's.
    stream
        Whose they are.

    Notes
    -----
    Times are those of the database's server; those of the caller where it is a file, which only
    processes of one machine share.
    """

    def __init__(self, engine: Engine, stream: str) -> None:
        self._engine = engine
        self._stream = stream

    def share(self, holder: str, count: int, seconds: float, now: float) -> Part:
        """Renew what a member holds, and take what is free, up to its even part.

        Parameters
        ----------
        holder
            The member.
        count
            Of all shards; their numbers begin at 0.
        seconds
            That a member may be silent.
        now
            Seconds since the epoch.

        Raises
        ------
        StoreUnreachableError
        """
        with writing(self._engine) as connection:
            now = self._begin(connection, now)
            self._take(connection, f"{_MEMBER}{holder}", holder, now + seconds)
            mine = and_(self._all(), leases.c.holder == holder)
            connection.execute(update(leases).where(mine).values(until=now + seconds))
            rows = connection.execute(select(leases.c.name, leases.c.holder).where(self._all()))
            found = {row.name: row.holder for row in rows}
            owners = {
                number: found[name]
                for number in range(count)
                if (name := f"{_SHARD}{number}") in found
            }
            members = [name.removeprefix(_MEMBER) for name in found if name.startswith(_MEMBER)]
            held = sorted(number for number, owner in owners.items() if owner == holder)
            wanted = _even_part(holder, members, list(owners.values()), count)
            free = [number for number in range(count) if number not in owners]
            for number in free[: max(0, wanted - len(held))]:
                self._take(connection, f"{_SHARD}{number}", holder, now + seconds)
                held.append(number)
        return Part(frozenset(held), frozenset(held[wanted:]), len(members))

    def hold(self, name: str, holder: str, seconds: float, now: float) -> bool:
        """Take or renew one lease; return whether it is the holder's."""
        with writing(self._engine) as connection:
            now = self._begin(connection, now)
            query = select(leases.c.holder).where(self._all(), leases.c.name == name)
            current = connection.execute(query).scalar_one_or_none()
            if current not in (None, holder):
                return False
            self._take(connection, name, holder, now + seconds)
        return True

    def holder(self, name: str) -> str | None:
        """Return who held a lease last; None where nobody does. It may have run out since."""
        query = select(leases.c.holder).where(self._all(), leases.c.name == name)
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one_or_none()

    def release(self, holder: str, numbers: Collection[int]) -> None:
        """Give up shards: from now on others may take them."""
        names = [f"{_SHARD}{number}" for number in numbers]
        mine = and_(self._all(), leases.c.holder == holder, leases.c.name.in_(names))
        with writing(self._engine) as connection:
            connection.execute(delete(leases).where(mine))

    def leave(self, holder: str) -> None:
        """Give up everything."""
        with writing(self._engine) as connection:
            connection.execute(delete(leases).where(self._all(), leases.c.holder == holder))

    def _begin(self, connection: Connection, now: float) -> float:
        """Let nobody else change leases until this is done; forget what ran out."""
        if connection.dialect.name == "postgresql":  # SQLite's write lock is held already
            key = {"key": f"riverrun leases of {self._stream}"}
            lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
            connection.execute(lock, key)
            clock = text("SELECT extract(epoch FROM clock_timestamp())")
            now = float(connection.execute(clock).scalar_one())
        connection.execute(delete(leases).where(self._all(), leases.c.until < now))
        return now

    def _take(self, connection: Connection, name: str, holder: str, until: float) -> None:
        connection.execute(delete(leases).where(self._all(), leases.c.name == name))
        row = {"stream": self._stream, "name": name, "holder": holder, "until": until}
        connection.execute(insert(leases).values(**row))

    def _all(self) -> Any:
        return leases.c.stream == self._stream


def _even_part(holder: str, members: list[str], owners: list[str], count: int) -> int:
    """Return how many shards are a member's part; who has more keeps what does not divide.

    Examples
    --------
    >>> [_even_part(one, ["a", "b"], ["b", "b"], 3) for one in ("a", "b")]
    [1, 2]
    """
    order = sorted(members, key=lambda one: (-owners.count(one), one))
    return count // len(order) + (order.index(holder) < count % len(order))
