"""A worker's place among the workers of a stream: which shards are its own, as of now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from stream.records import Offsets


@dataclass(frozen=True, slots=True)
class Change:
    """Shards that came or went.

    Parameters
    ----------
    kind
        ``assigned``: they are this member's from now on. ``revoked``: they go to another one, who
        waits until ``done`` is called. ``lost``: they were taken, since this member was silent.
    numbers
        Of the shards.
    done
        Of what was revoked: called when it is committed. Does nothing for the others.
    """

    kind: Literal["assigned", "revoked", "lost"]
    numbers: frozenset[int]
    done: Callable[[], None] = lambda: None


class Membership(Protocol):
    """One member of a group. Not for several threads."""

    @property
    def has_joined(self) -> bool:
        """Whether the group has said what this member gets, be it nothing."""

    @property
    def is_heard(self) -> bool:
        """Whether the group has answered within the time that a member may be silent.

        Else what it said last may no longer be so: what it gave may have gone to others.
        """

    @property
    def copies_offsets(self) -> bool:
        """Whether the log takes copies of a group's offsets from its members only."""

    def poll(self, seconds: float) -> list[Change]:
        """Stay a member, and return what changed. Blocks for about so long.

        Raises
        ------
        LogError, StoreError
        """

    def copy(self, offsets: Offsets) -> None:
        """Copy offsets to where the log's own lag tools look; the truth is in the store."""

    def leave(self) -> None:
        """Leave the group, and give back what was its own. May be called twice."""
