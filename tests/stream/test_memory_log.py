"""What the log for tests does beyond the contract: a clock that tests set, cuts, scripts."""

from __future__ import annotations

import pytest

from stream.errors import OffsetTruncatedError
from stream.logs.memory_log import MemoryLog
from stream.logs.scripted_source import ABORT, EOF, PAUSE, ScriptedSource
from stream.records import NewRecord, TopicPartition

PARTITION = TopicPartition("events", 0)


@pytest.fixture
def log() -> MemoryLog:
    """Return a log of ten records in a topic."""
    log = MemoryLog(clock=lambda: 1_000)
    log.sink().append([NewRecord("events", None, b"%d" % number) for number in range(10)])
    return log


def test_times_are_the_clocks_and_never_go_back() -> None:
    now = [50]
    log = MemoryLog(clock=lambda: now[0])
    for time in (50, 70, 60):
        now[0] = time
        log.sink().append([NewRecord("events", None, b"")])
    assert [record.timestamp for record in log.source(["events"]).poll(10, 0)] == [50, 70, 70]


def test_a_reader_behind_a_truncation_is_told(log: MemoryLog) -> None:
    source = log.source(["events"])
    source.poll(8, 0)
    log.truncate(PARTITION, 5)
    with pytest.raises(OffsetTruncatedError) as raised:
        source.poll(10, 0)
    assert (raised.value.wanted, raised.value.end) == (8, 5)


def test_a_script_interrupts_between_records(log: MemoryLog) -> None:
    source = log.source(["events"], script=[3, ABORT(OSError("power")), 2, PAUSE, 1, EOF])
    assert [record.offset for record in source.poll(2, 0)] == [0, 1]
    assert [record.offset for record in source.poll(5, 0)] == [2]
    with pytest.raises(OSError, match="power"):
        source.poll(5, 0)
    assert [record.offset for record in source.poll(5, 0)] == [3, 4]
    assert source.poll(5, 0) == []
    assert [record.offset for record in source.poll(5, 0)] == [5]
    assert source.poll(5, 0) == source.poll(5, 0) == []


def test_after_its_script_a_source_reads_on(log: MemoryLog) -> None:
    source = log.source(["events"], script=[PAUSE, 4])
    assert source.poll(5, 0) == []
    assert [record.offset for record in source.poll(100, 0)] == [0, 1, 2, 3]
    assert [record.offset for record in source.poll(100, 0)] == [4, 5, 6, 7, 8, 9]


def test_a_scripted_source_is_a_source(log: MemoryLog) -> None:
    source = ScriptedSource(log.source(["events"], group="g"), [100])
    source.seek({PARTITION: 7})
    assert source.partitions == (PARTITION,)
    assert source.lag() == {PARTITION: 3}
    assert source.bounds()[PARTITION].end == 10
    source.commit({PARTITION: 8})
    assert log.committed("g") == {PARTITION: 8}
    source.close()
