"""A divided stream on the command line: its worker, its status, and what is refused."""

from __future__ import annotations

import json
import random

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
    assert "4 by 1 workers" in invoke("doctor").stdout
    refused = invoke("report", "--out", "report.html")
    assert refused.exit_code != 0
    assert "is divided" in refused.stderr


def test_a_status_without_a_shard_says_how_to_begin(divided, invoke):
    invoke("produce", "events.jsonl")
    result = invoke("status")
    assert result.exit_code == 1
    assert "riverrun worker" in result.stderr
