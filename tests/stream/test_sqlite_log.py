"""What the embedded log does beyond the contract: its order, processes, retention, errors."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.errors import InputError, LogUnreachableError, OffsetExpiredError, RecordTooLargeError
from stream.log import MAX_RECORD_BYTES, Bounds
from stream.logs.open_log import open_log
from stream.logs.sqlite_log import SqliteLog
from stream.records import NewRecord, TopicPartition

WRITER = """
import sys
from stream.logs.open_log import open_log
from stream.records import NewRecord
url, name, count = sys.argv[1:]
sink = open_log(url).sink()
for number in range(int(count)):
    sink.append([NewRecord("events", name.encode(), b"%d %d" % (number, part)) for part in (0, 1)])
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a log may be."""
    return tmp_path / "log.db"


def fill(log: SqliteLog, topic: str, count: int, start: int = 0) -> None:
    """Append numbers, one to a transaction."""
    sink = log.sink()
    for number in range(start, start + count):
        sink.append([NewRecord(topic, None, b"%d" % number)])
    sink.close()


def values(log: SqliteLog, *topics: str) -> list[int]:
    """Return the numbers that stand in topics."""
    source = log.source(topics)
    found = []
    while records := source.poll(7, 0):
        found += [int(record.value or b"") for record in records]
    source.close()
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    appends=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), max_size=20),
    data=st.data(),
)
def test_from_any_offsets_the_order_of_appends_is_kept(
    tmp_path: Path, appends: list[tuple[str, int]], data: st.DataObject
) -> None:
    log = SqliteLog(tmp_path / f"{time.monotonic_ns()}.db")
    log.create_topics({"a": 2, "b": 1, "c": 1})
    sink, stands = log.sink(), []
    for topic, count in appends:
        batch = [NewRecord(topic, data.draw(st.sampled_from([b"1", b"2", None])), b"")] * count
        stands += sink.append(batch).offsets()
    source = log.source(["b", "a"])
    start = {
        tp: data.draw(st.integers(0, held.end), label=f"start of {tp}")
        for tp, held in source.bounds().items()
    }
    source.seek(start)
    found = []
    while records := source.poll(data.draw(st.integers(1, 5)), 0):
        found += [(TopicPartition(r.topic, r.partition), r.offset) for r in records]
    assert found == [(tp, offset) for tp, offset in stands if tp in start and offset >= start[tp]]
    log.close()


def test_processes_append_at_once_and_nothing_is_lost_or_mixed(path: Path) -> None:
    log = SqliteLog(path)
    url = f"sqlite:///{path}"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, url, name, "150"]) for name in "abc"]
    log.create_topics({"events": 1})
    source = log.source(["events"])
    found = []
    deadline = time.monotonic() + 60
    while len(found) < 900 and time.monotonic() < deadline:
        found += source.poll(1_000, 0.2)
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    assert [record.offset for record in found] == list(range(900))
    for name in (b"a", b"b", b"c"):
        mine = [record.value for record in found if record.key == name]
        assert mine == [b"%d %d" % (number, part) for number in range(150) for part in (0, 1)]
    log.close()


def test_a_killed_writer_leaves_what_it_acknowledged(path: Path) -> None:
    script = WRITER + "    print(number, flush=True)\n"
    writer = subprocess.Popen(
        [sys.executable, "-c", script, f"sqlite:///{path}", "a", "100000"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    said = [int(writer.stdout.readline()) for _ in range(50)]
    writer.kill()
    said += [int(line) for line in writer.stdout if line.endswith("\n")]
    writer.stdout.close()
    writer.wait()
    log = SqliteLog(path)
    held = log.source(["events"]).bounds()[TopicPartition("events", 0)]
    # The last batch may be durable though nobody was told; half a batch never is.
    assert held.end in (2 * said[-1] + 2, 2 * said[-1] + 4)
    log.close()


def test_what_is_acknowledged_is_synced_to_the_disk(path: Path) -> None:
    log = SqliteLog(path)
    sink = log.sink()
    assert sink._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert sink._db.execute("PRAGMA synchronous").fetchone() == (2,)
    log.close()


def test_offsets_and_positions_are_never_used_twice(path: Path) -> None:
    log = SqliteLog(path)
    fill(log, "events", 5)
    source = log.source(["events"])
    assert len(source.poll(10, 0)) == 5
    log.expire("events", keep_records=0)
    assert source.bounds() == {TopicPartition("events", 0): Bounds(5, 5)}
    assert source.poll(10, 0) == []
    log.close()
    log = SqliteLog(path)
    again = log.source(["events"])
    fill(log, "events", 2, start=5)
    assert [record.offset for record in again.poll(10, 0)] == [5, 6]
    log.close()


def test_retention_by_age_keeps_what_is_young(path: Path) -> None:
    now = [1_000]
    log = SqliteLog(path, clock=lambda: now[0])
    for now[0] in (1_000, 2_000, 2_000, 3_000, 2_500):
        fill(log, "events", 1, start=now[0])
    log.expire("events", before_ms=2_000)
    assert values(log, "events") == [2_000, 2_000, 3_000, 2_500]
    log.expire("events", before_ms=2_001)
    # The last one came after a clock went back: its time is that of the one before.
    assert values(log, "events") == [3_000, 2_500]
    log.expire("events", before_ms=9_999)
    assert values(log, "events") == []
    log.close()


def test_a_sink_applies_the_retention_of_its_log(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.logs.sqlite_log._RETAIN_EVERY", 100)
    monkeypatch.setattr("stream.logs.sqlite_retention._ROWS_AT_ONCE", 30)
    log = SqliteLog(path, retention_records=250)
    fill(log, "events", 1)
    slow = log.source(["events"])
    slow.poll(1, 0)
    sink = log.sink()
    for number in range(10):
        sink.append([NewRecord("events", None, b"%d" % number)] * 100)
    assert log.source(["events"]).bounds()[TopicPartition("events", 0)] == Bounds(751, 1001)
    with pytest.raises(OffsetExpiredError) as raised:
        slow.poll(10, 0)
    assert (raised.value.wanted, raised.value.earliest) == (1, 751)
    log.close()


def test_the_file_stops_growing_under_retention(path: Path) -> None:
    log = SqliteLog(path, retention_records=10_000)
    sink = log.sink()
    batch = [NewRecord("events", None, b"x" * 100)] * 1_000
    sizes = []
    for _ in range(3):
        for _ in range(30):
            sink.append(batch)
        sizes.append(path.stat().st_size)
    assert sizes[2] < 1.2 * sizes[0]
    log.close()


def test_a_reader_passes_over_other_topics_without_reading_them_twice(path: Path) -> None:
    log = SqliteLog(path)
    fill(log, "events", 1)
    source = log.source(["events"])
    source.poll(10, 0)
    log.sink().append([NewRecord("predictions", None, b"")] * 1_000)
    assert source.poll(10, 0) == []
    position = source._position
    assert position == 1_002
    fill(log, "events", 1, start=1)
    assert [record.offset for record in source.poll(10, 0)] == [1]
    log.close()


def test_a_poll_returns_bounded_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.logs.sqlite_source._POLL_BYTES", 1_000)
    log = SqliteLog(path)
    log.sink().append([NewRecord("events", None, bytes(300))] * 20)
    source = log.source(["events"])
    sizes = []
    while records := source.poll(100, 0):
        sizes.append(len(records))
    assert sizes == [4] * 5
    log.close()


def test_a_waiting_reader_does_not_spin(path: Path) -> None:
    log = SqliteLog(path)
    log.create_topics({"events": 1})
    source = log.source(["events"])
    start = time.thread_time()
    assert source.poll(10, 1.0) == []
    assert time.thread_time() - start < 0.1
    log.close()


def test_the_limit_is_exact(path: Path) -> None:
    sink = SqliteLog(path).sink()
    sink.append([NewRecord("events", b"", bytes(MAX_RECORD_BYTES))])
    with pytest.raises(RecordTooLargeError, match="1,048,577 bytes"):
        sink.append([NewRecord("events", b"", bytes(MAX_RECORD_BYTES), (("h", b""),))])
    sink.close()


def test_a_lock_that_is_held_for_too_long_is_reported(path: Path) -> None:
    log = SqliteLog(path, busy_seconds=0.2)
    log.create_topics({"events": 1})
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnreachableError, match="locked for too long"):
        log.sink().append([NewRecord("events", None, b"")])
    assert log.source(["events"]).poll(10, 0) == []
    other.execute("ROLLBACK")
    other.close()
    log.sink().append([NewRecord("events", None, b"")])
    log.close()


def test_many_threads_open_a_new_file_at_once(path: Path) -> None:
    errors = []

    def work(number: int) -> None:
        try:
            log = SqliteLog(path)
            fill(log, "events", 3, start=3 * number)
            log.close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    log = SqliteLog(path)
    assert sorted(values(log, "events")) == list(range(24))
    log.close()


def test_a_full_disk_loses_nothing_and_says_so(path: Path) -> None:
    log = SqliteLog(path)
    fill(log, "events", 3)
    sink = log.sink()
    (pages,) = sink._db.execute("PRAGMA page_count").fetchone()
    sink._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LogUnreachableError, match="disk is full: free some space"):
        sink.append([NewRecord("events", None, bytes(100_000))])
    sink._db.execute("PRAGMA max_page_count = 100000")
    sink.append([NewRecord("events", None, b"3")])
    assert values(log, "events") == [0, 1, 2, 3]
    log.close()


def test_paths_that_cannot_hold_a_log_are_explained(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("not a database, but long enough to be taken for one" * 100)
    odd = tmp_path / "odd.db"
    (tmp_path / "odd.db-wal").mkdir()
    for path, complaint in (
        (tmp_path, "this is a folder"),
        (tmp_path / "missing" / "log.db", "does not exist; make it"),
        (plain / "log.db", "is not a folder"),
        (plain, "is not a SQLite database"),
        (odd, "the disk reports an error"),
    ):
        with pytest.raises(LogUnreachableError, match=complaint):
            SqliteLog(path)


def test_a_file_without_write_permission_is_explained(path: Path) -> None:
    log = SqliteLog(path)
    sink = log.sink()
    sink._db.execute("PRAGMA query_only = ON")
    with pytest.raises(LogUnreachableError, match="may not be written"):
        sink.append([NewRecord("events", None, b"")])
    log.close()


def test_urls_name_relative_and_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_log("sqlite:///one.db").close()
    open_log(f"sqlite:///{tmp_path}/two.db", busy_seconds=1).close()
    assert (tmp_path / "one.db").exists()
    assert (tmp_path / "two.db").exists()
    for url in ("sqlite://", "sqlite:///", "sqlite://one.db", "log.db", "redis://x", "kafka:x"):
        with pytest.raises(InputError, match=r"write 'sqlite:///|use 'sqlite:///"):
            open_log(url)


def test_the_embedded_log_needs_no_kafka_client(tmp_path: Path) -> None:
    code = (
        "import sys; from stream.logs.open_log import open_log; "
        f"open_log('sqlite:///{tmp_path}/log.db').close(); assert 'kafka' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
