"""What is decided once for a divided stream, in the order in which all of its shards obey."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from stream.lifecycle.following import Models

KIND = "decision"
REFERENCE = "reference"


class Decision(msgspec.Struct, frozen=True):
    """One decision.

    Parameters
    ----------
    what
        ``close``: panes of event time before ``below`` are over, for shards without events too.
        ``halt``: learning pauses. ``resume``: it goes on. ``models``: others serve, or are in the
        shadow.
    below
        Number of a pane on the axis of event time.
    models
        Which.
    """

    what: Literal["close", "halt", "resume", "models"]
    below: int = 0
    models: Models | None = None

    def told(self) -> dict[str, Any]:
        """Return it for people, as plain data."""
        if self.models is not None:
            shadows = [f"{one.version}/{one.name}" for one in self.models.shadows]
            return {"what": self.what, "serving": self.models.serving, "shadows": shadows}
        return {"what": self.what} | ({"below": self.below} if self.what == "close" else {})

    def to_bytes(self) -> bytes:
        """Return it as bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Decision:
        """Return what ``to_bytes`` wrote."""
        return msgspec.msgpack.decode(data, type=cls)
