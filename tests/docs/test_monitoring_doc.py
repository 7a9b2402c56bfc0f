"""The commands of docs/monitoring.md leave with the codes that stand behind them."""

from __future__ import annotations

import json
import random
import re
import shlex

import pytest
from typer.testing import CliRunner

from monitor.anomalies import KINDS
from monitor.trigger import State, diagram
from serve.cli.app import app
from tests.docs.pages import commands_of, read_page

PAGE = read_page("monitoring.md")
OFFLINE, ONLINE = map(commands_of, PAGE.split("## A running worker"))
STREAM = """\
[stream]
name = "orders"
[event]
id = "order_id"
time = "placed"
label = "items"
[model]
task = "regression"
pipeline = "compose.Select('amount') | linear_model.LinearRegression()"
[monitor]
warmup_events = 1000
pane_events = 100
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Go to a folder with the files that the page names."""
    rng = random.Random(3)

    def write(name: str, mean: float, countries: list[str], broken: bool = False) -> None:
        lines = ["order_id,placed,amount,items,country"]
        for number in range(5_000):
            amount = "much" if broken and number % 50 == 0 else f"{rng.expovariate(1 / mean):.2f}"
            placed = f"2025-01-{1 + number // 200:02d}T{number % 24:02d}:00:00Z"
            items, country = rng.randint(1, 9), rng.choice(countries)
            lines.append(f"o{number},{placed},{amount},{items},{country}")
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    write("january.csv", 50.0, ["NL", "DE", "FR"])
    write("july.csv", 80.0, ["NL", "DE", "UK"])
    write("broken.csv", 50.0, ["NL", "DE", "FR"], broken=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stream(tmp_path, monkeypatch):
    """Go to a folder with a stream of which a worker has read three weeks, the last days dearer."""
    rng = random.Random(4)
    lines = []
    for number in range(3_000):
        mean = 50.0 if number < 2_700 else 150.0
        day, minute = divmod(number * 10, 1_440)
        row = {"order_id": f"o{number}", "amount": rng.expovariate(1 / mean)}
        row["placed"] = f"2025-01-{1 + day:02d}T{minute // 60:02d}:{minute % 60:02d}:00Z"
        row |= {"items": rng.randint(1, 9), "country": rng.choice(["NL", "DE", "FR"])}
        lines.append(json.dumps(row) + "\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "riverrun.toml").write_text(STREAM, encoding="utf-8")
    (tmp_path / "orders.jsonl").write_text("".join(lines), encoding="utf-8")
    for command in (["produce", "orders.jsonl"], ["worker", "--until-caught-up"]):
        assert CliRunner().invoke(app, command).exit_code == 0


def run_all(commands):
    """Run commands, each of which names the code that it leaves with."""
    assert len(commands) >= 8
    for command, code in commands:
        program, *arguments = shlex.split(command)
        assert program == "riverrun"
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, (command, result.output)


def test_every_command_leaves_with_the_code_behind_it(folder):
    run_all(OFFLINE)


def test_every_command_over_a_stream_leaves_with_the_code_behind_it(stream):
    run_all(ONLINE)


def test_the_diagram_is_that_of_the_table_and_every_state_is_explained():
    assert f"```mermaid\n{diagram()}```" in PAGE
    for state in State:
        assert re.search(rf"^\| `{state.value}` \|", PAGE, re.MULTILINE), state


def test_every_kind_of_anomaly_is_explained():
    for kind in KINDS.values():
        (line,) = re.findall(rf"^\| `{kind.name}` .*$", PAGE, re.MULTILINE)
        for alias in kind.tfdv:
            assert f"`{alias}`" in line


def test_every_option_is_explained():
    for option in ("--json", "--columns", "--ignore", "--schema", "--false-alarms", "--resample",
                   "--wasserstein-floor", "--js-floor", "--pane-events", "--panes",
                   "--output", "--from", "--to", "--against"):  # fmt: skip
        assert option in PAGE
