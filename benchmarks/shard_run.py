"""One run of a divided stream by some workers, each pinned to a core, and what it took."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import create_engine, func, select, text

from benchmarks.processes import finding_riverrun, resident_megabytes
from benchmarks.streams import rows
from stream.log import Log
from stream.logs.open_log import open_log
from stream.records import NewRecord, TopicPartition
from stream.sharding.read import is_read
from stream.storage.store import Store
from stream.storage.tables import checkpoints, parts

SHARDS = 4
WARM_UP = 2_000
"""Events that the workers have learned from before the time begins."""
_PATIENCE = 900.0
_CONFIG = """\
[stream]
name = "{name}"
broker = "{broker}"
store = "{store}"
shards = "partition"
[event]
id = "id"
time = "time"
label = "label"
[model]
task = "binary"
pipeline = "{pipeline}"
[checkpoint]
max_interval = "10s"
[worker]
session_timeout = "2m"
[retrain]
enabled = false
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream is run.

    Parameters
    ----------
    folder
        For files.
    broker, store
        URLs of the log and of the store.
    servers
        Processes whose time is counted, by what they are: ``broker`` and ``store``.
    """

    folder: Path
    broker: str
    store: str
    servers: dict[str, int]


def run(place: Place, pipeline: str, workers: int, count: int) -> dict[str, Any]:
    """Let so many workers take the same events in together.

    The workers are up, have a part each, and have learned from ``WARM_UP`` events; they stand still
    (SIGSTOP) while the others are appended. The time is from when they may go on to when the log
    took the last prediction, by its own stamp; checkpoints are made meanwhile, as they come due.

    Returns
    -------
    dict
        ``per_second``; processor time in microseconds an event of workers, ``broker`` and
        ``store``; what a checkpoint and an event weigh.
    """
    name = f"shards-{workers}-{time.time_ns()}"
    config = place.folder / f"{name}.toml"
    config.write_text(
        _CONFIG.format(name=name, broker=place.broker, store=place.store, pipeline=pipeline)
    )
    topics = [f"{name}.{kind}" for kind in ("events", "labels", "predictions", "dead-letters")]
    events = rows(WARM_UP + count)
    with (
        closing(open_log(place.broker)) as log,
        closing(Store(place.store, name)) as store,
        ExitStack() as running,
    ):
        log.create_topics(dict.fromkeys(topics, SHARDS))
        processes = [running.enter_context(_worker(config, core)) for core in range(workers)]
        _wait(lambda: _parts(store) == [SHARDS // workers] * workers)
        _produce(log, topics[0], events, WARM_UP)
        _wait(lambda: is_read(log, topics[:2], store.sharding))
        _stop(place, processes)
        size = _produce(log, topics[0], events, count)
        used = _used(place, processes)
        wal = _wal(place.store)
        before = _commits(store)
        began = time.time()
        for process in processes:
            process.send_signal(signal.SIGCONT)
        _wait(lambda: _held(log, topics[2]) >= WARM_UP + count)
        taken = {key: at - used[key] for key, at in _used(place, processes).items()}
        ended, prediction = _last_prediction(log, topics[2])
        _wait(lambda: is_read(log, topics[:2], store.sharding))
        _check(store, WARM_UP + count)
        return {
            "per_second": count / (ended - began),
            **{f"{key}_microseconds": 1e6 * seconds / count for key, seconds in taken.items()},
            "store_bytes_an_event": (_wal(place.store) - wal) / count,
            "checkpoints": _commits(store) - before,
            "checkpoint_kilobytes": _checkpoint_bytes(place.store, name) / 1e3,
            "event_bytes": size,
            "prediction_bytes": prediction,
            "worker_megabytes": max(resident_megabytes(process.pid) for process in processes),
        }


@contextmanager
def _worker(config: Path, core: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``riverrun worker`` on one core; stop it afterwards."""
    command = ["taskset", "-c", str(core % (os.cpu_count() or 1)), sys.executable]
    command += ["-m", "serve.cli", "worker", "--config", str(config), "--log-level", "error"]
    process = subprocess.Popen(command, env=finding_riverrun())
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(120)


def _stop(place: Place, processes: list[subprocess.Popen[bytes]]) -> None:
    """Let the workers stand still where none of them holds a lock of a file."""
    files = [url.partition(":///")[2] for url in (place.broker, place.store)]
    while True:
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        if all(_is_free(file) for file in files if Path(file).is_file()):
            return
        for process in processes:
            process.send_signal(signal.SIGCONT)
        time.sleep(0.05)


def _is_free(file: str) -> bool:
    with closing(sqlite3.connect(file, timeout=0.1, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
    return True


def _used(place: Place, processes: list[subprocess.Popen[bytes]]) -> dict[str, float]:
    """Return the seconds of processor time that each kind of process has used."""
    used = {"worker": sum(_seconds(process.pid) for process in processes)}
    return used | {name: _seconds(pid) for name, pid in place.servers.items()}


def _seconds(pid: int) -> float:
    """Return that of a process and its children, those that have ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return own + sum(_seconds(int(child)) for task in tasks for child in task.read_text().split())


def _parts(store: Store) -> list[int]:
    return sorted(Counter(shard.owner for shard in store.sharding.all()).values())


def _commits(store: Store) -> int:
    return sum(shard.newest.number for shard in store.sharding.all() if shard.newest)


def _produce(log: Log, topic: str, events: Iterator[dict[str, Any]], count: int) -> float:
    """Append so many events, keyed by id; return the bytes of one."""
    sink, batch, size = log.sink(), [], 0
    for _ in range(count):
        row = next(events)
        batch.append(NewRecord(topic, str(row["id"]).encode(), msgspec.json.encode(row)))
        size += len(batch[-1].value or b"") + len(batch[-1].key or b"")
        if len(batch) == 1_000:
            sink.append(batch)
            batch = []
    sink.append(batch)
    sink.flush()
    return size / count


def _held(log: Log, topic: str) -> int:
    with closing(log.source([topic])) as source:
        return sum(held.end for held in source.bounds().values())


def _check(store: Store, count: int) -> None:
    newest = [shard.newest for shard in store.sharding.all() if shard.newest]
    found = sum(one.status["counts"]["learned"] for one in newest)
    if found != count:
        raise SystemExit(f"{count:,} events were appended, {found:,} learned: no measure")


def _last_prediction(log: Log, topic: str) -> tuple[float, float]:
    """Return when the last one was appended, in seconds since the epoch, and its bytes."""
    with closing(log.source([topic])) as source:
        ends = {place: held.end for place, held in source.bounds().items() if held.end}
        source.seek({TopicPartition(*place): end - 1 for place, end in ends.items()})
        found: dict[int, Any] = {}
        while len(found) < len(ends):
            found |= {record.partition: record for record in source.poll(100, 1.0)}
    last = max(found.values(), key=lambda record: record.timestamp)
    headers = sum(len(key) + len(value) for key, value in last.headers)
    return last.timestamp / 1000, len(last.value) + len(last.key or b"") + headers


def _wal(url: str) -> int:
    """Return the bytes that a PostgreSQL has written to its log so far; 0 of a file."""
    if not url.startswith("postgresql"):
        return 0
    engine = create_engine(url)
    with closing(engine.connect()) as connection:
        found = connection.execute(text("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")).scalar_one()
    engine.dispose()
    return int(found)


def _checkpoint_bytes(url: str, stream: str) -> float:
    """Return the bytes of a shard's newest checkpoint, without what waits; the mean of all."""
    newest = select(checkpoints.c.shard, func.max(checkpoints.c.number).label("number"))
    last = newest.where(checkpoints.c.stream == stream).group_by(checkpoints.c.shard).subquery()
    query = (
        select(func.sum(func.length(parts.c.data)))
        .join(last, (parts.c.shard == last.c.shard) & (parts.c.number == last.c.number))
        .where(parts.c.stream == stream)
    )
    engine = create_engine(url)
    with closing(engine.connect()) as connection:
        found = connection.execute(query).scalar_one()
    engine.dispose()
    return float(found or 0) / SHARDS


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing happened in {_PATIENCE:.0f} s")
        time.sleep(0.3)
