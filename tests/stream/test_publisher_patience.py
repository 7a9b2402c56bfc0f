"""How long the publisher bears a log that acknowledges nothing."""

from __future__ import annotations

from itertools import count

import pytest

import stream.publisher as publisher_module
from stream.errors import LogUnreachableError, NotAcknowledgedError
from stream.publisher import Publisher
from tests.lines import make_config


class Ticking:
    """A clock on which every look costs a second."""

    def __init__(self) -> None:
        self._looks = count()

    def monotonic(self) -> float:
        return float(next(self._looks))


class SlowSink:
    """Acknowledges at the attempt that it is told, or fails for good there."""

    def __init__(self, attempts: int, error: Exception | None = None) -> None:
        self.left, self.error = attempts, error
        self.asked: list[float] = []

    def flush(self, timeout_seconds: float = 30.0) -> None:
        self.asked.append(timeout_seconds)
        self.left -= 1
        if self.left > 0:
            raise NotAcknowledgedError("not yet")
        if self.error is not None:
            raise self.error


def publisher(sink: SlowSink, patience: str = "5s") -> Publisher:
    return Publisher(sink, make_config(kafka={"patience": patience}), {})


def test_records_that_are_still_on_their_way_are_waited_for_again():
    sink = SlowSink(4)
    publisher(sink).flush()
    assert sink.asked == [publisher_module._SLICE_SECONDS] * 4


def test_what_failed_for_good_is_raised_at_once():
    """A second flush would find nothing on its way, and the failure would be lost."""
    sink = SlowSink(2, LogUnreachableError("gone"))
    with pytest.raises(LogUnreachableError, match="gone"):
        publisher(sink).flush()
    assert len(sink.asked) == 2


def test_patience_ends(monkeypatch):
    monkeypatch.setattr(publisher_module, "time", Ticking())
    sink = SlowSink(1_000)
    with pytest.raises(NotAcknowledgedError):
        publisher(sink, "20s").flush()
    assert 5 < len(sink.asked) < 20


def test_a_worker_that_is_told_to_stop_waits_some_seconds_more(monkeypatch):
    monkeypatch.setattr(publisher_module, "time", Ticking())
    sink = SlowSink(1_000)
    waiting = publisher(sink, "500s")
    waiting.should_stop = lambda: len(sink.asked) > 20
    with pytest.raises(NotAcknowledgedError):
        waiting.flush()
    assert 20 < len(sink.asked) < 30
