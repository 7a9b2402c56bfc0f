"""What an examination finds: one line a thing, how it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from stream.errors import RiverrunError
from stream.redact import without_secrets

State = Literal["ok", "warning", "wrong", "skipped"]
"""``skipped`` could not be looked at, since something before it is wrong or not there."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found of one thing.

    Parameters
    ----------
    check
        What was looked at.
    state
        How it is.
    found
        What is there, in a sentence.
    advice
        What to do; None where nothing is to be done.
    """

    check: str
    state: State
    found: str
    advice: str | None = None


class Chart:
    """Collects what is found, in order; no secret of a URL goes into it.

    Examples
    --------
    >>> chart = Chart()
    >>> chart.wrong("log", "kafka://me:pass@host does not answer", "start the broker")
    >>> chart.found[0].found, chart.is_well
    ('kafka://•••@host does not answer', False)
    """

    def __init__(self) -> None:
        self.found: list[Diagnosis] = []

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong; warnings do not count."""
        return not any(one.state == "wrong" for one in self.found)

    def ok(self, check: str, found: str) -> None:
        """Take note of something that is as it should be."""
        self._add(check, "ok", found, None)

    def warning(self, check: str, found: str, advice: str) -> None:
        """Take note of something that may become wrong, or may be meant."""
        self._add(check, "warning", found, advice)

    def wrong(self, check: str, found: str, advice: str) -> None:
        """Take note of something that has to be mended."""
        self._add(check, "wrong", found, advice)

    def skipped(self, check: str, why: str) -> None:
        """Take note of something that could not be looked at."""
        self._add(check, "skipped", why, None)

    @contextmanager
    def looking_at(self, check: str, advice: str) -> Iterator[None]:
        """Make a diagnosis of an error, so that the next thing can be looked at."""
        try:
            yield
        except RiverrunError as error:
            self.wrong(check, str(error), advice)

    def _add(self, check: str, state: State, found: str, advice: str | None) -> None:
        shown = None if advice is None else without_secrets(advice)
        self.found.append(Diagnosis(check, state, without_secrets(found), shown))
