"""Times as people and programs read them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment_text(milliseconds: int, separator: str = "T") -> str:
    """Return a time as RFC 3339 in UTC; one beyond the calendar as its number.

    Examples
    --------
    >>> moment_text(1_700_000_000_123)
    '2023-11-14T22:13:20.123Z'
    >>> moment_text(10**17)
    '100000000000000000 ms'
    """
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return f"{milliseconds} ms"
    return moment.isoformat(separator, "milliseconds").replace("+00:00", "Z")
