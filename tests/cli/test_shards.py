"""A divided stream on the command line: its worker, its status, and what is refused."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing

import pytest

from tests.cli.conftest import EVENTS


@pytest.fixture
def divided(config):
    """A stream of four partitions with keyed events, and its configuration."""
    text = EVENTS.replace('name = "s"', 'name = "s"\nshards = "partition"')
    config.write_text(text + "\n[topics]\npartitions = 4\n\n[retrain]\nenabled = false\n")
    rng = random.Random(3)
    rows = [
        {"id": f"e{n}", "x": rng.random(), "color": rng.choice("rgb"), "y": rng.random() < 0.5}
        for n in range(80)
    ]
    (config.parent / "events.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return config


def test_a_worker_learns_every_shard_and_the_status_adds_them_up(divided, invoke):
    assert invoke("check").exit_code == 0
    assert invoke("produce", "events.jsonl").exit_code == 0
    result = invoke("worker", "--until-caught-up")
    assert (result.exit_code, result.stdout) == (
        0,
        "s (4 shards): 80 events, learned 80, pending 0\n",
    )
    shown = json.loads(invoke("status", "--json").stdout)
    assert shown["counts"]["learned"] == sum(one["counts"]["learned"] for one in shown["shards"])
    assert [one["partition"] for one in shown["shards"]] == [0, 1, 2, 3]
    assert shown["lag"] == dict.fromkeys(shown["offsets"], 0) | shown["lag"]
    assert not any(shown["lag"].values())
    text = invoke("status").stdout
    assert "4 shards" in text
    assert "behind: nothing" in text
    assert all(f"{number}-of-4" in text for number in range(4))


def test_it_goes_on_where_it_was(divided, invoke):
    invoke("produce", "events.jsonl")
    invoke("worker", "--until-caught-up")
    first = json.loads(invoke("status", "--json").stdout)
    result = invoke("worker", "--until-caught-up", "--json")
    assert json.loads(result.stdout)["counts"] == first["counts"]
    again = json.loads(invoke("status", "--json").stdout)
    digests = [[one["state_digest"] for one in shown["shards"]] for shown in (first, again)]
    assert digests[0] == digests[1]
    assert [one["epoch"] for one in again["shards"]] == [2, 2, 2, 2]


def test_a_rebuild_learns_every_shard_anew(divided, invoke):
    invoke("produce", "events.jsonl")
    invoke("worker", "--until-caught-up")
    assert invoke("worker", "--until-caught-up", "--rebuild").exit_code == 0
    shown = json.loads(invoke("status", "--json").stdout)
    assert shown["counts"]["learned"] == 80
    assert {one["model_version"] for one in shown["shards"]} == {"v2"}


def test_an_undivided_worker_refuses_a_divided_stream(divided, invoke):
    invoke("produce", "events.jsonl")
    invoke("worker", "--until-caught-up")
    divided.write_text(divided.read_text().replace('shards = "partition"', 'shards = "all"'))
    result = invoke("worker", "--until-caught-up")
    assert result.exit_code == 4
    assert "and now it is not divided" in result.stderr


def test_what_looks_for_trouble_knows_shards(divided, invoke):
    invoke("produce", "events.jsonl")
    assert "4 shards; labels find their events" in invoke("check").stdout
    invoke("worker", "--until-caught-up")
    assert "4 shards with checkpoints" in invoke("check").stdout
    assert "4, claimed last by 1 workers" in invoke("doctor").stdout
    refused = invoke("report", "--out", "report.html")
    assert refused.exit_code != 0
    assert "is divided" in refused.stderr


def shards_in(invoke):
    """Return what the doctor says of shards, by how bad it is."""
    result = invoke("doctor", "--json")
    found = [one for one in json.loads(result.stdout)["found"] if one["check"] == "shards"]
    assert all(one["advice"] for one in found if one["state"] != "ok")
    return {one["state"]: one["found"] for one in found}


def changed(folder, statement, *values):
    with closing(sqlite3.connect(folder / "riverrun.db")) as db, db:
        db.execute(statement, values)


def test_the_doctor_finds_a_shard_that_nobody_works_on(divided, invoke):
    invoke("produce", "events.jsonl")
    assert shards_in(invoke) == {}, "there is no store yet, and that is said"
    invoke("worker", "--until-caught-up")
    old = "UPDATE checkpoints SET created_at = created_at - 1000 WHERE shard = '2-of-4'"
    changed(divided.parent, old)
    assert set(shards_in(invoke)) == {"ok"}, "a shard with nothing to do may be old"
    more = [{"id": f"m{n}", "x": 0.5, "color": "r", "y": True} for n in range(40)]
    (divided.parent / "more.jsonl").write_text("\n".join(json.dumps(row) for row in more))
    invoke("produce", "more.jsonl")
    wrong = shards_in(invoke)["wrong"]
    assert "nobody works on 2-of-4: " in wrong
    assert "0-of-4" not in wrong, "that one may just be about to read them"
    changed(divided.parent, "DELETE FROM checkpoints WHERE shard = '3-of-4'")
    changed(divided.parent, "DELETE FROM shards WHERE shard = '3-of-4'")
    result = json.loads(invoke("doctor", "--json").stdout)["found"]
    said = [one["found"] for one in result if one["check"] == "shards"]
    assert any("no worker has ever had 3-of-4" in one for one in said)


def test_the_doctor_finds_two_versions_and_partitions_that_were_added(divided, invoke):
    invoke("produce", "events.jsonl")
    invoke("worker", "--until-caught-up")
    other = json.dumps({"river": "0.21.0", "python": "3.11.7"})
    changed(divided.parent, "UPDATE checkpoints SET libraries = ? WHERE shard = '1-of-4'", other)
    found = shards_in(invoke)["warning"]
    assert "not of one version" in found
    assert "1-of-4: python 3.11.7, river 0.21.0" in found
    with closing(sqlite3.connect(divided.parent / "log.db")) as db, db:
        (names,) = zip(
            *db.execute("SELECT name FROM pragma_table_info('log_partitions')"), strict=True
        )
        kept = ", ".join(name for name in names if name not in ("id", "partition"))
        db.execute(
            f"INSERT INTO log_partitions (partition, {kept}) "
            f"SELECT 4, {kept} FROM log_partitions "
            "WHERE topic = 's.events' AND partition = 3"
        )
    assert "in 4 shards, and s.events has 5 partitions" in shards_in(invoke)["wrong"]


def test_a_status_without_a_shard_says_how_to_begin(divided, invoke):
    invoke("produce", "events.jsonl")
    result = invoke("status")
    assert result.exit_code == 1
    assert "riverrun worker" in result.stderr
