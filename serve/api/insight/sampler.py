"""The recent past of a stream, as this process saw it: in memory, in two resolutions, bounded.

Prometheus is the long memory. This one is there so that a dashboard shows lines, and not only
numbers, without anything but riverrun.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from serve.api.served_stream import ServedStream
from stream.process import resident_bytes

_log = structlog.get_logger("riverrun.api")

FINE_SECONDS, COARSE_SECONDS = 2.0, 60.0
_FINE, _COARSE = 450, 1_440
_STOP_SECONDS = 5.0
MODEL = "model"


@dataclass(frozen=True, slots=True)
class Sample:
    """A stream at one moment.

    Parameters
    ----------
    at
        Seconds since the epoch.
    read
        Records that the worker had read, events and labels; None before a checkpoint.
    per_second
        Records a second since the checkpoint before; None where that is not known.
    lag
        Records on the log that the newest checkpoint has not read; None while the log is away.
    score
        The first metric of the last labels.
    coverage
        Labels over predictions.
    staleness
        Age of the checkpoint whose model answers, in seconds.
    memory
        Of this process, in bytes.
    """

    at: float
    read: int | None
    per_second: float | None
    lag: int | None
    score: float | None
    coverage: float | None
    staleness: float | None
    memory: int | None


@dataclass(slots=True)
class _Rings:
    fine: deque[Sample] = field(default_factory=lambda: deque(maxlen=_FINE))
    coarse: deque[Sample] = field(default_factory=lambda: deque(maxlen=_COARSE))

    def add(self, sample: Sample) -> None:
        self.fine.append(sample)
        if not self.coarse or sample.at - self.coarse[-1].at >= COARSE_SECONDS:
            self.coarse.append(sample)


class Sampler:
    """Looks at a stream every two seconds, in a thread of its own.

    Parameters
    ----------
    stream
        What is looked at.
    seconds
        Between two looks.
    """

    def __init__(self, stream: ServedStream, seconds: float = FINE_SECONDS) -> None:
        self._stream = stream
        self._seconds = seconds
        self._rings = _Rings()
        self._last: tuple[float, int] | None = None
        self._rate: float | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        name = f"riverrun-sampler-{self._stream.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more. May be repeated."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
            self._thread = None

    def samples(self, *, fine: bool) -> list[Sample]:
        """Return what was seen, oldest first: a quarter of an hour, or a day by minutes."""
        return list(self._rings.fine if fine else self._rings.coarse)

    def look(self) -> None:
        """Take one sample."""
        self._rings.add(self._sample())

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:  # noqa: BLE001 - the next look may do better
                _log.exception("sample_failed", stream=self._stream.name)
            self._stop.wait(self._seconds)

    def _sample(self) -> Sample:
        now, models = self._stream.clock.now(), self._stream.models
        newest, live = models.newest, models.live
        status: Mapping[str, Any] = {} if newest is None else newest.status
        read = (status.get("counts") or {}).get("read")
        if newest is not None and read is not None:
            self._rate = self._rate_of(newest.created_at, read, now)
        performance = (status.get("monitor") or {}).get("performance") or {}
        return Sample(
            at=round(now, 3),
            read=read,
            per_second=self._rate,
            lag=self._stream.lag.total,
            score=_score(status),
            coverage=performance.get("coverage"),
            staleness=None if live is None else round(max(0.0, now - live.created_at), 3),
            memory=resident_bytes(),
        )

    def _rate_of(self, made: float, read: int, now: float) -> float | None:
        """Return records a second between the two newest checkpoints that were seen."""
        last, rate = self._last, self._rate
        if last is None or read < last[1]:  # the first one, or a state from before
            self._last = (made, read)
            return None
        if made > last[0]:
            self._last = (made, read)
            return round((read - last[1]) / (made - last[0]), 2)
        # A worker that has nothing to do makes no checkpoint.
        quiet = max(3 * self._seconds, self._stream.config.checkpoint.max_interval / 1000)
        return 0.0 if now - made > quiet else rate


def _score(status: Mapping[str, Any]) -> float | None:
    scores = (status.get("rolling") or {}).get("scores") or {}
    found: float | None = next(iter((scores.get(MODEL) or {}).values()), None)
    return found
