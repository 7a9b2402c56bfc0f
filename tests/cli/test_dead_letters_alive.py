"""``riverrun dead-letters`` at a terminal, killed, interrupted, and over a real Apache Kafka."""

import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from uuid import uuid4

import pytest

from stream.load_config import load_config
from stream.logs.open_log import open_log
from stream.origin import read_origin
from stream.records import NewRecord
from tests.processes.forked import COMMAND, ForkedRiverrun

LETTERS = 3_000


class Stream:
    """A stream on a log, with letters; it forgets ids at once, so repeats would be learned."""

    def __init__(self, config, broker, riverrun):
        self.config, self.riverrun = config, riverrun
        self.name = f"alive-{uuid4().hex[:8]}"
        text = config.read_text().replace('"s"', f'"{self.name}"\nbroker = "{broker}"')
        # Without an id and a time: the event is what its first place and time say.
        text = text.replace('id = "id"', "max_bytes = 60\ndedup_window = 0", 1)
        config.write_text(f"{text}\n[dead_letters]\nmax_share = 1.0\n")
        self.settings = load_config(config)

    def fill(self, count=LETTERS):
        with closing(open_log(self.settings.stream.broker)) as log:
            log.create_topics(dict.fromkeys(self.settings.topic_names, 1))
            values = [b'{"x": %d, "y": true, "note": "%050d"}' % (n % 9, n) for n in range(count)]
            values.append(b'{"x": 1.0, "y": false}')
            sink = log.sink()
            sink.append([NewRecord(self.settings.events_topic, None, v) for v in values])
            sink.flush()
        assert self.work()["dead_lettered"] == count

    def mend(self):
        self.config.write_text(self.config.read_text().replace("max_bytes = 60\n", ""))

    def work(self):
        code, out, err = self.riverrun("worker", "--until-caught-up", "--json")
        assert code == 0, err
        return json.loads(out)["counts"]

    def replay(self, *options):
        code, out, err = self.riverrun("dead-letters", "replay", "--yes", "--json", *options)
        assert code == 0, err
        return json.loads(out)

    def replays(self):
        """How often each record stands on the log again."""
        found = Counter()
        with closing(open_log(self.settings.stream.broker)) as log:
            source = log.source([self.settings.events_topic])
            while any(source.lag().values()):
                for record in source.poll(1_000, 0.5):
                    if (origin := read_origin(record.headers)) is not None:
                        found[origin.place] += 1
        return found

    def predictions(self):
        with closing(open_log(self.settings.stream.broker)) as log:
            source = log.source([self.settings.predictions_topic])
            rows = []
            while any(source.lag().values()):
                rows += [json.loads(record.value) for record in source.poll(1_000, 0.5)]
        return rows


@pytest.fixture(params=["sqlite", "kafka"])
def stream(request, config, environment, riverrun):
    broker = "sqlite:///log.db"
    if request.param == "kafka":
        environment["PYTHONWARNINGS"] = "default"  # kafka-python's own
        broker = request.getfixturevalue("kafka_broker").url
    return Stream(config, broker, riverrun)


@pytest.fixture
def embedded(config, riverrun):
    return Stream(config, "sqlite:///log.db", riverrun)


def test_from_letter_to_model_with_the_id_and_time_of_the_first_append(stream, riverrun):
    stream.fill(5)
    stream.mend()
    code, out, err = riverrun("dead-letters", "list", "--json")
    assert code == 0, err
    sources = {each["source"]["offset"]: each["source"] for each in json.loads(out)["letters"]}
    code, out, err = riverrun("dead-letters", "show", "0:3", "--raw")
    assert (code, json.loads(out)["note"]) == (0, f"{3:050}")
    assert [stream.replay()["replayed"] for _ in range(2)] == [5, 0]
    assert stream.work()["learned"] == 6
    assert stream.replay()["skipped"] == {"already_replayed": 5}
    assert stream.work()["learned"] == 6
    rows = {row["id"]: row for row in stream.predictions()}
    assert len(rows) == len(stream.predictions()) == 6
    from datetime import datetime

    for offset, source in sources.items():
        row = rows[f"{stream.name}.events-0-{offset}"]
        assert row["time"] == round(datetime.fromisoformat(source["time"]).timestamp() * 1_000)


def test_killed_with_9_and_run_again_nothing_is_lost_and_nothing_twice(stream, spawn):
    stream.fill()
    stream.mend()
    killed = 0
    for _ in range(3):
        before = len(stream.replays())
        process = spawn("dead-letters", "replay", "--yes")
        deadline = time.monotonic() + 60
        with closing(open_log(stream.settings.stream.broker)) as log:
            source = log.source([stream.settings.events_topic])
            start = sum(held.end for held in source.bounds().values())
            # Only a part of a batch, or of the batches, is there when it dies.
            while sum(h.end for h in source.bounds().values()) == start:
                assert time.monotonic() < deadline
                if process.poll() is not None:
                    break
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        print(f"killed after {len(stream.replays()) - before} more")
    assert killed >= 1
    stream.replay()
    assert Counter(stream.replays().values()) == {1: LETTERS}
    counts = stream.work()
    assert (counts["learned"], counts["repeated"]) == (LETTERS + 1, 0)
    assert stream.replay()["skipped"] == {"already_replayed": LETTERS}


def test_ctrl_c_ends_after_a_batch_and_the_next_run_goes_on(embedded, spawn):
    embedded.fill()
    embedded.mend()
    process = spawn("dead-letters", "replay", "--yes", "--json")
    with closing(sqlite3.connect("log.db", isolation_level=None)) as db:
        batches = (
            "SELECT count(*) FROM log_records "
            "WHERE instr(headers, CAST('riverrun-replayed-from' AS BLOB))"
        )
        deadline = time.monotonic() + 60
        while not db.execute(batches).fetchone()[0]:
            assert time.monotonic() < deadline
        # It waits for this to end before it can append more.
        db.execute("BEGIN IMMEDIATE")
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        db.execute("ROLLBACK")
    out, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    done = json.loads(out)
    assert (process.returncode, done["stopped"]) == (130, True)
    assert 0 < done["replayed"] < LETTERS
    assert embedded.replay()["replayed"] == LETTERS - done["replayed"]
    assert Counter(embedded.replays().values()) == {1: LETTERS}


@pytest.fixture
def typed(here, environment):
    """Run a command at a terminal, type an answer; return exit code, stdout and what was shown."""

    def run(answer, *arguments):
        ours, theirs = pty.openpty()
        process = ForkedRiverrun(
            [*COMMAND, "dead-letters", *arguments],
            cwd=here, env=environment | {"TERM": "xterm", "COLUMNS": "100"},
            stdin=theirs, stdout=subprocess.PIPE, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.1)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                data = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            shown += data
            if answer is not None and b"[y/N]" in shown:
                os.write(ours, answer)
                answer = None
        out = process.stdout.read().decode()
        process.stdout.close()
        os.close(ours)
        return process.wait(timeout=30), out, shown.decode()

    return run


def test_a_person_is_asked_and_sees_progress(embedded, typed):
    embedded.fill()
    embedded.mend()
    code, out, shown = typed(b"n\n", "replay")
    assert code == 1, shown
    assert "3,000 of 3,000 dead letters to replay" in shown
    assert "nothing was replayed" in shown
    assert not embedded.replays()
    code, out, shown = typed(b"y\n", "replay", "--json")
    assert code == 0, shown
    assert json.loads(out)["replayed"] == LETTERS
    assert "replaying" in shown
    assert re.search(r"reading alive-\w+\.dead-letters", shown)
    code, out, shown = typed(None, "replay")
    assert (code, "already" in shown, "[y/N]" in shown) == (0, False, False)
    assert "skipped 3,000: they were replayed before" in out
    code, out, shown = typed(None, "list", "--json")
    assert json.loads(out)["total"] == LETTERS
    assert "reading alive-" in shown


def test_a_topic_that_kafka_does_not_have(config, kafka_broker, environment, riverrun):
    environment["PYTHONWARNINGS"] = "default"
    stream = Stream(config, kafka_broker.url, riverrun)
    for command in (("list",), ("show", "0"), ("replay", "--yes"), ("replay", "0", "--yes")):
        code, _, err = riverrun("dead-letters", *command)
        assert code == 3, err
        assert f"topic '{stream.settings.dead_letters_topic}' does not exist" in err
        assert "Traceback" not in err


def test_a_broker_that_is_not_there(config, environment, riverrun):
    environment["PYTHONWARNINGS"] = "default"
    Stream(config, "kafka://127.0.0.1:1", riverrun)
    for command in (("list",), ("show", "0"), ("replay", "--yes")):
        code, _, err = riverrun("dead-letters", *command)
        assert code == 3, err
        assert "127.0.0.1:1" in err
        assert "Traceback" not in err
