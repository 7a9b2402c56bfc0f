"""``doctor`` finds each thing that is wrong, and says what to do: each is made wrong for real."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest

from stream.logs.sqlite_log import SqliteLog
from stream.records import NewRecord
from tests.cli.conftest import EVENTS, ROOT
from tests.processes.forked import COMMAND, run_riverrun


@pytest.fixture
def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


PLACES = 'name = "s"\nbroker = "sqlite:///log.db"\nstore = "sqlite:///store.db"'


@pytest.fixture(scope="module")
def learned_once(tmp_path_factory):
    """Return the files of a stream that has learned from sixty events."""
    folder = tmp_path_factory.mktemp("learned")
    (folder / "riverrun.toml").write_text(EVENTS.replace('name = "s"', PLACES))
    rows = [{"id": f"e{i}", "x": i / 10, "color": "red", "y": i % 2 == 0} for i in range(60)]
    (folder / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RIVERRUN_")}
    for words in (["produce", "events.jsonl"], ["worker", "--until-caught-up"]):
        env = kept | {"PYTHONPATH": str(ROOT)}
        run_riverrun([*COMMAND, *words], cwd=folder, env=env, timeout=120).check_returncode()
    return folder


@pytest.fixture
def learned(here, learned_once, free_port):
    """A stream that committed a moment ago, whose API is not started."""
    shutil.copytree(learned_once, here, dirs_exist_ok=True)
    store(here, "UPDATE checkpoints SET created_at = ?", (time.time(),))
    config = here / "riverrun.toml"
    config.write_text(f"{config.read_text()}\n[api]\nport = {free_port}\n")
    return config


@pytest.fixture
def examine(invoke):
    """Run the command; return its exit code, and what it found by check and state."""

    def run(*options):
        result = invoke("doctor", "--json", *options)
        found = json.loads(result.stdout)
        assert found["ok"] is (result.exit_code == 0)
        assert all(one["advice"] for one in found["found"] if one["state"] in ("wrong", "warning"))
        wrong = {one["check"]: one for one in found["found"] if one["state"] == "wrong"}
        rest = {one["check"]: one for one in found["found"] if one["state"] != "wrong"}
        return SimpleNamespace(code=result.exit_code, wrong=wrong, rest=rest)

    return run


def store(folder, statement, values=()):
    with closing(sqlite3.connect(folder / "store.db")) as db, db:
        db.execute(statement, values)


def test_a_stream_that_is_well(learned, examine, invoke):
    found = examine()
    assert (found.code, found.wrong) == (0, {})
    assert {"log", "topics", "retention", "lag", "clock", "store", "disk", "checkpoints"} <= set(
        found.rest
    )
    assert {"versions", "pipeline", "signing", "halted", "dead letters", "access"} <= set(
        found.rest
    )
    shown = " ".join(invoke("doctor").stdout.split())
    assert "0 wrong, 1 to look at" in shown, "nobody has started the API"


def test_it_makes_and_changes_nothing(config, here, examine):
    before = sorted(path.name for path in here.iterdir())
    found = examine()
    assert found.code == 1
    assert "does not exist" in found.wrong["store"]["found"]
    assert "does not exist" in found.wrong["log"]["found"]
    assert sorted(path.name for path in here.iterdir()) == before


@pytest.mark.parametrize("text", [None, "[stream", "[stream]\nname = 7\n"])
def test_without_a_configuration_it_cannot_look(here, invoke, text):
    if text is not None:
        (here / "riverrun.toml").write_text(text)
    result = invoke("doctor", "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: riverrun.toml" in result.stderr


def test_a_pipeline_that_cannot_be_built(learned, examine):
    learned.write_text(learned.read_text().replace("LogisticRegression", "LogisticRegresion"))
    found = examine()
    assert "LogisticRegression" in found.wrong["pipeline"]["found"]


def test_another_pipeline_than_the_checkpoints(learned, examine):
    learned.write_text(learned.read_text().replace("LogisticRegression", "PAClassifier"))
    assert "another pipeline" in examine().wrong["checkpoints"]["found"]


def test_missing_topics(learned, here, examine):
    with closing(sqlite3.connect(here / "log.db")) as db, db:
        db.execute("DELETE FROM log_partitions WHERE topic = 's.labels'")
    found = examine()
    assert "s.labels" in found.wrong["topics"]["found"]
    assert "--create-topics" in found.wrong["topics"]["advice"]


def test_partitions_that_differ(learned, here, examine):
    (here / "log.db").unlink()
    with closing(SqliteLog(here / "log.db")) as log:
        log.create_topics({"s.events": 3, "s.labels": 1, "s.predictions": 1, "s.dead-letters": 1})
    assert "3 partitions" in examine().rest["topics"]["found"]


def test_a_log_that_was_replaced(learned, here, examine):
    for path in here.glob("log.db*"):
        path.unlink()
    with closing(SqliteLog(here / "log.db")) as log:
        log.create_topics(dict.fromkeys(("s.events", "s.labels", "s.predictions"), 1))
        log.create_topics({"s.dead-letters": 1})
    found = examine()
    assert "truncated or replaced" in found.wrong["offsets"]["advice"]


def test_records_that_expired_unread(learned, here, examine, invoke):
    assert invoke("produce", "events.jsonl").exit_code == 0
    with closing(SqliteLog(here / "log.db")) as log:
        log.expire("s.events", keep_records=10)
    found = examine()
    assert "50 records expired unread" in found.wrong["offsets"]["found"]
    assert "on_gap" in found.wrong["offsets"]["advice"]


def test_a_worker_that_has_gone_while_records_wait(learned, here, examine, invoke):
    assert invoke("produce", "events.jsonl").exit_code == 0
    assert "lag" in examine().rest, "a moment ago it committed"
    store(here, "UPDATE checkpoints SET created_at = created_at - 3600")
    found = examine()
    assert "behind by s.events-0 60" in found.wrong["lag"]["found"]
    assert "riverrun worker" in found.wrong["lag"]["advice"]


def test_a_clock_that_is_ahead(learned, here, examine):
    ahead = round((time.time() + 3 * 86_400) * 1000)
    with closing(sqlite3.connect(here / "log.db")) as db, db:
        db.execute("UPDATE log_records SET time = ?", (ahead,))
    found = examine()
    assert "in the future" in found.wrong["clock"]["found"]


def test_a_damaged_checkpoint(learned, here, examine):
    store(here, "UPDATE checkpoint_parts SET data = x'00' WHERE part = 'model'")
    found = examine()
    assert "'model' is damaged" in found.wrong["checkpoints"]["found"]
    assert "--rebuild" in found.wrong["checkpoints"]["advice"]


def test_a_checkpoint_that_another_key_signed(learned, examine, monkeypatch):
    monkeypatch.setenv("RIVERRUN_SECRET", "another")
    assert "RIVERRUN_SECRET" in examine().wrong["checkpoints"]["found"]


def test_a_checkpoint_of_another_river_is_told_and_not_loaded(learned, here, examine):
    store(here, "UPDATE checkpoints SET libraries = json_set(libraries, '$.river', '0.21.0')")
    found = examine()
    assert "River 0.21.0" in found.wrong["versions"]["found"]
    assert "install that one" in found.wrong["versions"]["advice"]


def test_a_store_that_is_no_database(learned, here, examine):
    for path in here.glob("store.db*"):
        path.unlink()
    (here / "store.db").write_text("this is something else, and no database at all" * 100)
    found = examine()
    assert found.code == 1
    assert "not a database" in found.wrong["store"]["found"]
    assert "log" in found.rest, "the rest is looked at all the same"


def test_a_store_without_checkpoints(learned, here, examine):
    for table in ("checkpoints", "checkpoint_parts", "checkpoint_chunks"):
        store(here, f"DELETE FROM {table}")
    assert "none yet" in examine().rest["checkpoints"]["found"]


def test_a_disk_that_is_nearly_full(learned, examine, monkeypatch):
    usage = SimpleNamespace(total=10**12, used=10**12 - 10**6, free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert "make room" in examine().wrong["disk"]["advice"]


def test_a_postgresql_that_does_not_answer_and_its_password(learned, examine, free_port):
    url = f"postgresql+psycopg://me:hidden-password@127.0.0.1:{free_port}/x"
    learned.write_text(learned.read_text().replace("sqlite:///store.db", url))
    found = examine()
    assert "start the database" in found.wrong["store"]["advice"]
    assert "hidden-password" not in str(found)


def test_an_unsigned_store_that_others_may_write(learned, examine, postgres, riverrun):
    url = postgres.url("doctor")
    learned.write_text(learned.read_text().replace("sqlite:///store.db", url))
    code, _, err = riverrun("worker", "--until-caught-up")
    assert code == 0, err
    found = examine()
    assert found.code == 0, found.wrong
    assert "RIVERRUN_SECRET" in found.rest["signing"]["advice"]


def test_many_dead_letters(config, here, invoke, riverrun, examine):
    text = config.read_text().replace('name = "s"', PLACES)
    config.write_text(f"{text}\n[dead_letters]\nmax_share = 1.0\n")
    with closing(SqliteLog(here / "log.db")) as log:
        log.create_topics(
            dict.fromkeys(("s.events", "s.labels", "s.predictions", "s.dead-letters"), 1)
        )
        log.sink().append([NewRecord("s.events", None, b"{")] * 20).offsets()
    assert riverrun("worker", "--until-caught-up")[0] == 0
    found = examine()
    assert "20 of 20 records" in found.wrong["dead letters"]["found"]
    assert "invalid_json" in found.wrong["dead letters"]["found"]


def test_a_worker_that_stopped_on_purpose(config, here, riverrun, examine):
    text = config.read_text().replace('name = "s"', PLACES)
    config.write_text(f"{text}\n[dead_letters]\nmax_share = 0.1\nwindow = 10\n")
    with closing(SqliteLog(here / "log.db")) as log:
        log.create_topics(
            dict.fromkeys(("s.events", "s.labels", "s.predictions", "s.dead-letters"), 1)
        )
        log.sink().append([NewRecord("s.events", None, b"{")] * 20).offsets()
    assert riverrun("worker", "--until-caught-up")[0] == 4
    found = examine()
    assert "stopped on purpose" in found.wrong["halted"]["found"]
    assert "dead_letters.max_share" in found.wrong["halted"]["found"]


def test_an_api_that_says_it_is_not_ready(learned, examine, free_port):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = b'{"detail": "flights: store: it is away"}'
            self.send_response(503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", free_port), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        found = examine()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert "store: it is away" in found.wrong["api"]["found"]


def test_an_api_that_is_open_to_the_network(learned, examine):
    learned.write_text(learned.read_text().replace("[api]", '[api]\nhost = "0.0.0.0"'))
    assert "keys" in examine().wrong["access"]["found"]


def test_keys_that_are_over_or_will_be(learned, here, examine):
    def write(days):
        expires = datetime.now(UTC) + timedelta(days=days)
        (here / "keys.toml").write_text(
            '[[keys]]\nid = "00000001"\nname = "shop"\nrole = "viewer"\n'
            f'hash = "sha256:{"0" * 64}"\ncreated = 2026-01-01T00:00:00Z\n'
            f"expires = {expires.isoformat(timespec='seconds').replace('+00:00', 'Z')}\n"
        )

    learned.write_text(learned.read_text().replace("[api]", '[api]\nkeys_file = "keys.toml"'))
    write(-1)
    assert "nobody is let in" in examine().wrong["keys"]["found"]
    write(2)
    assert "rotate shop" in examine().rest["keys"]["advice"]
    (here / "keys.toml").unlink()
    assert "no such file" in examine().wrong["access"]["found"]


def test_a_receiver_of_alerts_that_does_not_answer(learned, examine, invoke, free_port):
    learned.write_text(
        learned.read_text()
        + f'\n[alerts]\nwebhook = "http://127.0.0.1:{free_port}/x"\ntimeout = "200ms"\n'
    )
    invoke("alerts", "send", "--once")
    from stream.storage.store import Store

    with closing(Store("sqlite:///store.db", "s")) as held:
        held.record("halted", {"message": "for the test"}, time.time() - 5)
    invoke("alerts", "send", "--once")
    assert "wait for webhook" in examine().wrong["alerts"]["found"]


def test_kafka_that_keeps_records_for_too_short_a_time(config, kafka_broker, invoke, examine):
    from uuid import uuid4

    from kafka import KafkaAdminClient
    from kafka.admin import ConfigResource, ConfigResourceType

    name = f"doctor-{uuid4().hex[:8]}"
    config.write_text(
        config.read_text().replace('"s"', f'"{name}"\nbroker = "{kafka_broker.url}"', 1)
    )
    assert invoke("check", "--create-topics").exit_code == 0
    assert (
        "for" in examine().rest["retention"]["found"] or "d" in examine().rest["retention"]["found"]
    )
    admin = KafkaAdminClient(bootstrap_servers=[f"127.0.0.1:{kafka_broker.port}"])
    try:
        admin.alter_configs(
            [
                ConfigResource(
                    ConfigResourceType.TOPIC, f"{name}.events", {"retention.ms": "3600000"}
                )
            ]
        )
    finally:
        admin.close()
    found = examine()
    assert "shorter than labels.max_delay" in found.wrong["retention"]["found"]


def test_kafka_that_does_not_answer(config, examine, free_port):
    config.write_text(
        config.read_text().replace('"s"', f'"s"\nbroker = "kafka://127.0.0.1:{free_port}"', 1)
    )
    found = examine()
    assert "does not answer" in found.wrong["log"]["found"]
    assert found.wrong["log"]["advice"].startswith("start it")
