"""What a worker tells of single events, where somebody traces them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stream.line import Line
from stream.records import Headers, Record
from stream.step import PredictionRow, Step


class Tracing(Protocol):
    """Follows single events through the line. It decides nothing, and changes no state."""

    def handle(self, line: Line, records: Sequence[Record], now: int) -> Step:
        """Let a line handle records, and take note of those that are traced."""

    def headers_of(self, row: PredictionRow) -> Headers:
        """Return the headers that hand a prediction's trace on, of what was handled last."""

    def close(self) -> None:
        """Hand over what waits. Blocks for some seconds at most."""


class Untraced:
    """Follows nothing: headers of a trace go on as they came."""

    def handle(self, line: Line, records: Sequence[Record], now: int) -> Step:
        """Let a line handle records."""
        return line.handle(records, now)

    def headers_of(self, _row: PredictionRow) -> Headers:
        """Return none of our own."""
        return ()

    def close(self) -> None:
        """Nothing waits."""
