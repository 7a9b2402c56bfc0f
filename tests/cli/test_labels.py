"""``riverrun labels``: whose word is wanted, and who disagrees, on the command line."""

from __future__ import annotations

import json

import pytest

from stream.labels import LABELLED_BY
from stream.logs.sqlite_log import SqliteLog
from stream.records import NewRecord


@pytest.fixture
def stream(config, here, invoke):
    """Some events wait for labels; two people disagree on one."""
    assert invoke("check").exit_code == 0
    rows = [{"id": f"e{i}", "x": i / 10, "color": "red"} for i in range(20)]
    learned = [row | {"id": f"l{i}", "y": row["x"] > 1} for i, row in enumerate(rows)]
    (here / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in learned + rows))
    assert invoke("produce", "events.jsonl").exit_code == 0
    log = SqliteLog(here / "log.db")
    for name, label in ((b"anna", b"true"), (b"bert", b"false")):
        value = b'{"id": "e3", "y": ' + label + b"}"
        record = NewRecord("s.labels", b"e3", value, ((LABELLED_BY, name),))
        log.sink().append([record]).offsets()
    log.close()
    assert invoke("worker", "--until-caught-up").exit_code == 0


def test_wanted_lists_the_most_uncertain_ones(stream, invoke):
    shown = json.loads(invoke("labels", "wanted", "--budget", "4", "--json").stdout)
    assert len(shown["wanted"]) == 4
    assert shown["waiting"] == 19
    ids = [row["id"] for row in shown["wanted"]]
    result = invoke("labels", "wanted", "--budget", "4")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ids
    assert "4 of 19 predictions" in result.stderr


def test_conflicts_say_who_said_what(stream, invoke):
    shown = json.loads(invoke("labels", "conflicts", "--json").stdout)
    (one,) = shown["conflicts"]
    assert (one["id"], one["learned"]["by"], one["said"]["by"]) == ("e3", "anna", "bert")
    line = invoke("labels", "conflicts").stdout.splitlines()[1].split()
    assert (line[0], line[2], line[6]) == ("e3", "anna", "bert")


def test_without_a_store_it_says_what_to_do(config, invoke):
    for command in ("wanted", "conflicts"):
        result = invoke("labels", command)
        assert result.exit_code == 1
        assert "riverrun worker" in result.stderr
