"""How one class of River's estimators is read as a part, and written back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from stream.sharding.averaging.part import Part


def _fits(_: Any) -> str | None:
    return None


class Rule(NamedTuple):
    """How estimators of a class are read and written.

    Parameters
    ----------
    read
        Returns what one has learned.
    write
        Lets one have learned what a part says; what is not in the part stays.
    unfit
        Returns with what parameters one cannot be averaged, or None.
    """

    read: Callable[[Any], Part]
    write: Callable[[Any, Part], None]
    unfit: Callable[[Any], str | None] = _fits
