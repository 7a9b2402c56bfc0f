"""Durations and sizes as people write them: ``500ms``, ``15m``, ``3d``; ``512MiB``, ``2GiB``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

_MILLISECONDS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_NUMBER_AND_UNIT = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([A-Za-z]+)")


def parse_duration(text: str) -> int:
    """Return a duration in milliseconds.

    Parameters
    ----------
    text
        A number and a unit: ``ms``, ``s``, ``m``, ``h``, ``d`` or ``w``.

    Raises
    ------
    ValueError
        When the text is anything else.

    Examples
    --------
    >>> parse_duration("3d")
    259200000
    >>> parse_duration("1.5s")
    1500
    """
    return _parse(text, _MILLISECONDS, "500ms, 30s, 15m, 12h, 3d or 2w")


def format_duration(milliseconds: float) -> str:
    """Return a duration in the largest unit that keeps it readable.

    Examples
    --------
    >>> format_duration(259_200_000)
    '3d'
    >>> format_duration(1500)
    '1.5s'
    """
    return _format(milliseconds, _MILLISECONDS, ("d", "h", "m", "s", "ms"))


def format_time(seconds: float) -> str:
    """Return a time as RFC 3339 in UTC; what no calendar holds stays a number.

    Examples
    --------
    >>> format_time(1357034400.0), format_time(1357034400.25), format_time(1e300)
    ('2013-01-01T10:00:00Z', '2013-01-01T10:00:00.250Z', '1e+300')
    """
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"
    digits = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=digits).replace("+00:00", "Z")


_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def parse_bytes(text: str) -> int:
    """Return a size in bytes.

    Parameters
    ----------
    text
        A number and a unit: ``B``, ``KiB``, ``MiB``, ``GiB`` or ``TiB``.

    Raises
    ------
    ValueError
        When the text is anything else.

    Examples
    --------
    >>> parse_bytes("1.5GiB")
    1610612736
    """
    return _parse(text, _BYTES, "512MiB or 2GiB")


def format_bytes(size: float) -> str:
    """Return a size in the largest unit that keeps it readable.

    Examples
    --------
    >>> format_bytes(1_610_612_736), format_bytes(700)
    ('1.5GiB', '700B')
    """
    return _format(size, _BYTES, ("TiB", "GiB", "MiB", "KiB", "B"))


def _parse(text: str, units: Mapping[str, int], examples: str) -> int:
    match = _NUMBER_AND_UNIT.fullmatch(text.strip())
    if match is None or match[2] not in units:
        raise ValueError(f"give a number and a unit, such as {examples}")
    return round(float(match[1]) * units[match[2]])


def _format(amount: float, units: Mapping[str, int], largest_first: Sequence[str]) -> str:
    fitting = (unit for unit in largest_first if amount >= units[unit])
    unit = next(fitting, largest_first[-1])
    return f"{amount / units[unit]:.3g}{unit}"
