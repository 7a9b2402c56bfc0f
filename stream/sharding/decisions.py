"""What is decided once for a divided stream, in the order in which all of its shards obey."""

from __future__ import annotations

from typing import Literal

import msgspec

KIND = "decision"
REFERENCE = "reference"


class Decision(msgspec.Struct, frozen=True):
    """One decision.

    Parameters
    ----------
    what
        ``close``: panes of event time before ``below`` are over, for shards without events too.
        ``halt``: learning pauses. ``resume``: it goes on.
    below
        Number of a pane on the axis of event time.
    """

    what: Literal["close", "halt", "resume"]
    below: int = 0

    def to_bytes(self) -> bytes:
        """Return it as bytes."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Decision:
        """Return what ``to_bytes`` wrote."""
        return msgspec.json.decode(data, type=cls)
