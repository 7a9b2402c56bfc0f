"""The commands of docs/monitoring.md leave with the codes that stand behind them."""

from __future__ import annotations

import random
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.anomalies import KINDS
from serve.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
COMMANDS = [
    line.rpartition("#")
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.strip().splitlines()
]


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


def test_every_command_leaves_with_the_code_behind_it(folder):
    assert len(COMMANDS) >= 10
    for command, _, code in COMMANDS:
        program, *arguments = shlex.split(command)
        assert program == "riverrun"
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == int(code), (command, result.output)


def test_every_kind_of_anomaly_is_explained():
    for kind in KINDS.values():
        (line,) = re.findall(rf"^\| `{kind.name}` .*$", PAGE, re.MULTILINE)
        for alias in kind.tfdv:
            assert f"`{alias}`" in line


def test_every_option_is_explained():
    for option in ("--json", "--columns", "--ignore", "--schema", "--false-alarms", "--resample",
                   "--wasserstein-floor", "--js-floor", "--pane-events", "--panes",
                   "--output"):  # fmt: skip
        assert option in PAGE
