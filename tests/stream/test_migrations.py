"""A store of an older riverrun is upgraded whole or not at all, and its worker goes on."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, inspect

from stream.digest import state_digest
from stream.errors import StoreVersionError
from stream.logs.memory_log import MemoryLog
from stream.storage.connect import connect, writing
from stream.storage.database import open_database
from stream.storage.schema import found_version, upgrade
from stream.storage.store import Store
from stream.storage.tables import SCHEMA_VERSION, metadata
from stream.storage.upgrading import migrations, run_migrations
from tests.lines import SMALL_MONITOR, interleaved
from tests.stream.old_stores import OLD, make_old_store, rows
from tests.stream.test_worker import Bench

RECORDS = interleaved(600)
SECTIONS: dict[str, Any] = {"monitor": SMALL_MONITOR, "retrain": {"enabled": False}}


def upgraded(url: str) -> int | None:
    engine = connect(url)
    try:
        return upgrade(engine)
    finally:
        engine.dispose()


def contents(url: str) -> dict[str, Any]:
    """Return every table with its columns and rows."""
    engine = connect(url)
    with engine.connect() as connection:
        tables = inspect(connection)
        found = {
            name: (tables.get_columns(name), rows(engine, name))
            for name in tables.get_table_names()
            if name in metadata.tables
        }
    engine.dispose()
    return {name: (repr(columns), held) for name, (columns, held) in found.items()}


def differences(url: str) -> list[Any]:
    """Return how the tables of a store differ from those that the code knows."""
    engine = connect(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        found = compare_metadata(context, metadata)
        assert context.get_current_revision() == f"{SCHEMA_VERSION:04}"
    engine.dispose()
    return found


@pytest.fixture(scope="module")
def half(tmp_path_factory) -> Bench:
    """Return a stream of which a worker of today has learned half."""
    bench = Bench(f"sqlite:///{tmp_path_factory.mktemp('half')}/store.db", **SECTIONS)
    # Each record has a time of its own: so they are read in one order, however they came.
    bench.log = MemoryLog(clock=itertools.count(1_000_000).__next__)
    bench.log.create_topics(dict.fromkeys(bench.config.topic_names, 1))
    for row in RECORDS[: len(RECORDS) // 2]:
        bench.produce([row])
    bench.run()
    bench.store.record("gap", {"n": 1}, 1.0)
    for row in RECORDS[len(RECORDS) // 2 :]:
        bench.produce([row])
    return bench


@pytest.fixture(params=OLD)
def old(request, half, url) -> str:
    make_old_store(request.param, url, half.url)
    return request.param


def test_an_old_store_is_upgraded_without_loss_and_the_worker_goes_on(old, half, url):
    before = contents(url)
    assert upgraded(url) == int(old[0])
    assert differences(url) == []
    after = contents(url)
    for name, (_, held) in before.items():
        if name not in ("riverrun", "panes", "references"):
            assert after[name][1] == held, name
    assert [row[:4] + row[5:] for row in after["references"][1]] == before.get(
        "references", ("", [])
    )[1]
    assert len(after["panes"][1]) == len(before.get("panes", ("", []))[1])
    assert upgraded(url) == SCHEMA_VERSION

    bench = Bench.__new__(Bench)
    bench.__dict__ |= half.__dict__ | {"url": url, "store": Store(url, "s")}
    began = bench.store.newest()
    assert began is not None
    assert 0 < began.status["counts"]["events"] < 600
    worker = bench.run()
    whole = Bench(f"{half.url}-{os.urandom(4).hex()}", **SECTIONS)
    whole.log = half.log
    assert state_digest(worker.line) == state_digest(whole.run().line)
    assert bench.store.newest().number > began.number
    assert "gap" in [row["kind"] for row in bench.store.happenings()]


def test_a_server_is_upgraded_on_request_only_and_a_file_when_it_is_opened(old, url):
    if url.startswith("sqlite"):
        open_database(url).dispose()
        assert differences(url) == []
        return
    before = contents(url)
    with pytest.raises(StoreVersionError, match="riverrun store upgrade") as caught:
        Store(url, "s")
    assert caught.value.exit_code == 4
    assert contents(url) == before


def test_the_migrations_lead_to_the_tables_that_the_code_knows(url):
    engine = connect(url)
    with writing(engine) as connection:
        run_migrations(connection, "an empty one", 0)
    engine.dispose()
    assert differences(url) == []


def test_a_new_store_has_the_newest_revision(url):
    open_database(url).dispose()
    assert differences(url) == []
    engine = connect(url)
    assert found_version(engine) == SCHEMA_VERSION
    engine.dispose()
    assert migrations().get_heads() == [f"{SCHEMA_VERSION:04}"]


@pytest.mark.parametrize(
    ("value", "says"), [("6", "knows 5 at most"), ("999", "newer riverrun"), ("x", "damaged")]
)
def test_a_store_of_a_newer_riverrun_is_refused_and_not_touched(url, value, says):
    engine = open_database(url)
    with writing(engine) as connection:
        connection.exec_driver_sql(f"UPDATE riverrun SET value = '{value}' WHERE key = 'schema'")
    engine.dispose()
    before = contents(url)
    for use in (lambda: Store(url, "s"), lambda: upgraded(url)):
        with pytest.raises(StoreVersionError, match=says):
            use()
    assert contents(url) == before


@pytest.mark.parametrize("statement", [3, 12, 20])
def test_a_migration_that_fails_half_way_changes_nothing(half, url, statement):
    make_old_store("1", url, half.url)
    before = contents(url)
    engine, seen = connect(url), []

    @event.listens_for(engine, "before_cursor_execute")
    def fail(_connection, _cursor, sql, *_):
        seen.extend([sql] if sql.lstrip().upper().startswith(("CREATE", "ALTER", "UPDATE")) else [])
        if len(seen) == statement:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrade(engine)
    engine.dispose()
    assert contents(url) == before
    assert upgraded(url) == 1
    assert differences(url) == []


def _die_half_way(url: str, statement: int) -> None:
    engine, seen = connect(url), []

    @event.listens_for(engine, "after_cursor_execute")
    def die(_connection, _cursor, sql, *_):
        seen.extend([sql] if sql.lstrip().upper().startswith("CREATE") else [])
        if len(seen) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    upgrade(engine)


def test_a_migration_that_is_killed_changes_nothing(half, url):
    make_old_store("2-first", url, half.url)
    before = contents(url)
    processes = multiprocessing.get_context("forkserver")
    process = processes.Process(target=_die_half_way, args=(url, 6))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert contents(url) == before
    assert upgraded(url) == 2
    assert differences(url) == []


def _upgrade(url: str, together: Any) -> None:
    together.wait(60)
    upgraded(url)
    Store(url, "s").close()


def test_many_processes_upgrade_a_store_at_once(half, url):
    make_old_store("1", url, half.url)
    processes = multiprocessing.get_context("forkserver")
    together = processes.Barrier(4)
    started = [processes.Process(target=_upgrade, args=(url, together)) for _ in range(4)]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0] * 4
    assert differences(url) == []


def test_alembic_is_imported_only_when_a_migration_is_due(half, tmp_path):
    script = (
        "import sys; from stream.storage.store import Store; Store(sys.argv[1], 's').close(); "
        "print('alembic' in sys.modules)"
    )
    old, new = f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db"
    make_old_store("3", old, half.url)
    said = [
        subprocess.run(
            [sys.executable, "-c", script, url], check=True, capture_output=True, text=True
        ).stdout.strip()
        for url in (new, new, old, old)
    ]
    assert [one.splitlines()[-1] for one in said] == ["False", "False", "True", "False"]
