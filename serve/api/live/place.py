"""Ids of live events: where an event stands among all that the store holds."""

from __future__ import annotations

import re
from typing import NamedTuple

# In this order they are sent for each checkpoint.
RUN, PANE, ANOMALY, PREDICTION, STATUS = range(5)

_ID = re.compile(r"(\d{1,18})\.(\d)\.(\d{1,9})")


class Place(NamedTuple):
    """Where an event stands: ids rise, and any process gives an event the same one.

    Parameters
    ----------
    number
        The checkpoint that it came with; the store never uses a number twice.
    kind
        ``RUN`` to ``STATUS``.
    position
        Among its kind in this checkpoint.

    Examples
    --------
    >>> str(Place(812, PANE, 0)), Place.parse("812.1.0")
    ('812.1.0', Place(number=812, kind=1, position=0))
    >>> Place(812, PANE, 0) < Place(812, STATUS, 0) < Place(813, RUN, 0)
    True
    >>> Place.parse("yesterday") is None
    True
    """

    number: int
    kind: int
    position: int

    def __str__(self) -> str:
        return f"{self.number}.{self.kind}.{self.position}"

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """Read back what ``str`` wrote; None where it is no such id."""
        found = _ID.fullmatch(text.strip())
        return None if found is None else cls(*map(int, found.groups()))
