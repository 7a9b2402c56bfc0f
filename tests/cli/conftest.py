import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.processes.forked import COMMAND, ForkedRiverrun

ROOT = Path(__file__).resolve().parents[2]

EVENTS = """\
[stream]
name = "s"

[event]
id = "id"
label = "y"
features = ["x", "color"]

[event.types]
x = "float"
color = "str"

[model]
task = "binary"
pipeline = \"\"\"(compose.SelectType(str) | preprocessing.OneHotEncoder()) + \\
  (compose.SelectType(int, float) | preprocessing.StandardScaler()) | \\
  linear_model.LogisticRegression()\"\"\"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def config(here: Path) -> Path:
    """A small configuration in the working directory."""
    path = here / "riverrun.toml"
    path.write_text(EVENTS)
    return path


@pytest.fixture
def invoke() -> Callable[..., Any]:
    """Run a command in this process; an exception that is not handled fails the test."""

    def run(*arguments: object, stdin: str | None = None) -> Any:
        from serve.cli.app import app

        result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def environment() -> dict[str, str]:
    """Environment of a riverrun in another process."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RIVERRUN_")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


@pytest.fixture
def spawn(
    here: Path, environment: dict[str, str]
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command in another process; it is killed when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
        process = ForkedRiverrun(
            [*COMMAND, *map(str, arguments)],
            cwd=here,
            env=environment | options.pop("env", {}),
            text=True,
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.wait()


@pytest.fixture
def riverrun(spawn: Callable[..., subprocess.Popen[str]]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in another process to its end; return exit code, stdout and stderr."""

    def run(*arguments: object, stdin: str | None = None, **options: Any) -> tuple[int, str, str]:
        if stdin is not None:
            options["stdin"] = subprocess.PIPE
        process = spawn(*arguments, **options)
        out, err = process.communicate(stdin, timeout=120)
        return process.returncode, out, err

    return run


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """Ask until the answer is true."""

    def wait(ask: Callable[[], Any], seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answer := ask():
                return answer
            time.sleep(0.05)
        raise AssertionError("it did not happen in time")

    return wait


@pytest.fixture
def events(here: Path) -> Path:
    """Sixty events with labels, as JSON lines."""
    path = here / "events.jsonl"
    rows = [
        {"id": f"e{i}", "x": i / 10, "color": "red" if i % 3 else "blue", "y": i % 2 == 0}
        for i in range(60)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
