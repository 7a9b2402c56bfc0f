"""``riverrun backtest``: a table, JSON, a page, and a gate."""

from __future__ import annotations

import csv
import json
import re
import tomllib

import pytest
from typer.testing import CliRunner

from serve.cli.app import app
from stream.load_config import build_config
from stream.logs.sqlite_log import SqliteLog
from stream.records import NewRecord
from tests.backtest.streams import GAUSS, rows

CONFIG = f"""
[stream]
name = "s"
[event]
id = "id"
time = "t"
label = "y"
[model]
task = "binary"
pipeline = "{GAUSS}"
[monitor]
warmup_events = 500
pane_events = 100
reference_losses = 300
[retrain]
min_events = 300
min_labels = 200
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "events.csv").open("w", newline="") as file:
        some = list(rows(2_600))
        writer = csv.DictWriter(file, some[0])
        writer.writeheader()
        writer.writerows(some)
    return tmp_path


@pytest.fixture
def configured(here):
    (here / "riverrun.toml").write_text(CONFIG)
    return here


def run(*arguments):
    result = CliRunner().invoke(app, ["backtest", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_table_shows_every_policy_and_says_which_is_best(configured):
    result = run("events.csv", "--policy", "never,drift", "--change", 1501)
    assert result.exit_code == 0, result.stderr
    assert re.search(r"^Smallest loss: drift", result.stdout, re.MULTILINE)
    for policy in ("never", "drift"):
        assert re.search(rf"^{policy} ", result.stdout, re.MULTILINE)
    assert "its model was promoted" in result.stdout
    assert "█" in result.stdout or "@" in result.stdout


def test_json_is_the_same_for_the_same_arguments(configured):
    found = [json.loads(run("events.csv", "--policy", "drift", "--json").stdout) for _ in range(2)]
    for one in found:
        for policy in one["policies"]:
            del policy["seconds"], policy["training_seconds"]
            for each in policy["runs"]:
                del each["seconds"]
    assert found[0] == found[1]
    assert found[0]["policies"][0]["promoted"] == 1


@pytest.mark.parametrize(
    ("demand", "code"),
    [
        ("drift.gain=0.1", 0),
        ("drift.gain=0.99", 1),
        ("loss=0.05", 1),
        ("loss=0.9", 0),
        ("ROCAUC=0.999", 1),
        ("LogLoss=0.001", 1),
        ("wasted=0", 0),
    ],
)
def test_a_demand_that_does_not_hold_leaves_with_1(configured, demand, code):
    assert run("events.csv", "--policy", "never,drift", "--fail-under", demand).exit_code == code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["events.csv", "--policy", "sometimes"], "choose from never"),
        (["events.csv", "--fail-under", "Kappa=1"], "choose from ROCAUC"),
        (["events.csv", "--fail-under", "loss"], "METRIC=VALUE"),
        (["events.csv", "--policy", "drift", "--fail-under", "gain=0"], "never"),
        (["events.csv", "--change", "9999"], "from 2 to 2,600"),
        (["events.csv", "--label-delay", "soon"], "number of events"),
        (["events.csv", "--label-delay", "4d"], "labels.max_delay"),
        (["events.csv", "--from", "3"], "without FILE"),
        (["nowhere.csv"], "no such file"),
        (["--label-delay", "5"], "for a FILE"),
    ],
)
def test_a_mistake_is_a_message(configured, arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_without_a_configuration_it_is_guessed_and_said(here):
    result = run("events.csv", "--policy", "never", "--json")
    assert result.exit_code == 0, result.stderr
    notes = " ".join(json.loads(result.stdout)["notes"])
    assert "guessed as riverrun init does" in notes
    assert "pipeline: " in notes


def test_the_page_needs_no_network_and_shows_what_the_table_shows(configured):
    name = "a<b>.csv"
    (configured / "events.csv").rename(configured / name)
    assert run(name, "--policy", "never,drift", "--html", "page.html").exit_code == 0
    page = (configured / "page.html").read_text()
    assert not re.search(r"<script[^>]+src|<link|<img|@import", page)
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    assert "a&lt;b&gt;.csv" in page
    assert "a<b>" not in page
    assert page.count("Plotly.react") >= 1
    charts = re.search(r"^const charts = \{ (.*), \};$", page, re.MULTILINE)
    assert charts is not None
    found = json.loads("{" + charts.group(1) + "}")
    assert {trace["name"] for trace in found["rolling"]["data"]} >= {"never", "drift"}
    assert "v2 serves" in page or "passed its probation" in page


def test_a_page_that_cannot_be_written_is_a_message(configured):
    result = run("events.csv", "--policy", "never", "--html", "no/such/page.html")
    assert result.exit_code == 2
    assert "--html" in result.stderr


def test_a_range_of_the_log_is_replayed_with_the_models_own_predictions(configured):
    config = build_config(tomllib.loads(CONFIG), "test")
    log = SqliteLog(configured / "log.db")
    log.create_topics(dict.fromkeys(config.topic_names, 1))
    served = json.dumps({"prediction": 0.5, "model_version": "v1", "learned_offset": 0}).encode()
    headers = (("riverrun-served", served),)
    records = [
        NewRecord("s.events", None, json.dumps(row).encode(), headers) for row in rows(1_000)
    ]
    log.sink().append(records)
    log.close()
    whole = json.loads(run("--policy", "never", "--json").stdout)
    assert whole["events"] == 1_000
    assert whole["policies"][0]["scores"]["ROCAUC"] > 0.9
    part = json.loads(run("--from", 200, "--to", 700, "--policy", "never", "--json").stdout)
    assert part["events"] == 500
    assert run("--from", "2020-01-01", "--to", "2020-02-01").exit_code == 2


def test_what_is_appended_while_the_log_is_read_is_left_out(configured):
    from serve.backtest.history import read_log
    from stream.logs.memory_log import MemoryLog

    config = build_config(tomllib.loads(CONFIG), "test")
    log = MemoryLog(clock=lambda: 1_000)
    log.create_topics(dict.fromkeys(config.topic_names, 1))
    sink = log.sink()
    some = [NewRecord("s.events", None, json.dumps(row).encode()) for row in rows(3_000)]
    sink.append(some)

    def meanwhile(*_):
        sink.append(some[:10])

    found = read_log(log, config, begin=None, end=None, limit=9_999, show=meanwhile)
    assert (found.events, len(found.records)) == (3_000, 3_000)
