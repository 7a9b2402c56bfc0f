"""A source whose script says where it stumbles: crash points between records, for tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from stream.log import Bounds, Source
from stream.records import Offsets, Record, TopicPartition


class ABORT(NamedTuple):
    """The next poll raises this error; the one after it goes on behind it."""

    error: BaseException


class _Marker(NamedTuple):
    name: str


PAUSE: Final = _Marker("PAUSE")
"""The next poll returns nothing, once."""

EOF: Final = _Marker("EOF")
"""No poll returns anything from here on."""

Step = int | ABORT | _Marker
"""An integer lets that many records pass before the next step."""


class ScriptedSource:
    """Wraps a source and interrupts it as a script says; after the script it reads on.

    Parameters
    ----------
    source
        Any source, over memory, SQLite or Kafka.
    script
        For example ``[5, ABORT(OSError("power")), 10, PAUSE, 3, EOF]``: five records, an error,
        ten records, one empty poll, three records, and then nothing for ever.

    Examples
    --------
    >>> from stream.logs.memory_log import MemoryLog
    >>> from stream.records import NewRecord
    >>> log = MemoryLog(clock=lambda: 0)
    >>> _ = log.sink().append([NewRecord("t", None, b"%d" % n) for n in range(9)])
    >>> source = log.source(["t"], script=[2, PAUSE, 1, EOF])
    >>> [[r.value for r in source.poll(10, timeout_seconds=0)] for _ in range(4)]
    [[b'0', b'1'], [], [b'2'], []]
    """

    def __init__(self, source: Source, script: Iterable[Step]) -> None:
        self._source = source
        self._steps = deque(script)

    @property
    def transport(self) -> str:
        """What carries the records of the source that it wraps."""
        return self._source.transport

    @property
    def partitions(self) -> tuple[TopicPartition, ...]:
        """Every partition of the topics, in order of topic and number."""
        return self._source.partitions

    def bounds(self) -> dict[TopicPartition, Bounds]:
        """Return what each partition holds now."""
        return self._source.bounds()

    def identities(self) -> dict[str, str]:
        """Return what tells each topic from one that is made later."""
        return self._source.identities()

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Continue at these offsets; the script goes on where it was."""
        self._source.seek(offsets)

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return the next records, or do what the script says.

        Raises
        ------
        BaseException
            The error of an ``ABORT``.
        """
        step = self._steps[0] if self._steps else max_records
        if step == EOF:
            return []
        if isinstance(step, int):
            return self._pass(step, max_records, timeout_seconds)
        self._steps.popleft()
        if isinstance(step, ABORT):
            raise step.error
        return []

    def lag(self) -> dict[TopicPartition, int]:
        """Return how many offsets lie between the next record and each partition's end."""
        return self._source.lag()

    def commit(self, offsets: Offsets) -> None:
        """Commit on the wrapped source."""
        self._source.commit(offsets)

    def close(self) -> None:
        """Close the wrapped source."""
        self._source.close()

    def _pass(self, allowed: int, max_records: int, timeout_seconds: float) -> list[Record]:
        records = self._source.poll(min(allowed, max_records), timeout_seconds)
        if self._steps and records:
            left = allowed - len(records)
            self._steps.popleft()
            if left:
                self._steps.appendleft(left)
        return records
