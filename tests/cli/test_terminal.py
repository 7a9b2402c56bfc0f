"""What a person at a terminal sees, and Ctrl-C."""

import json
import os
import pty
import signal
import subprocess
import time

import pytest

from tests.processes.forked import COMMAND, ForkedRiverrun


@pytest.fixture
def at_terminal(here, environment):
    """Run a command with a terminal; return its exit code, stdout, and what was shown."""

    def run(*arguments, interrupt_at=None):
        ours, theirs = pty.openpty()
        process = ForkedRiverrun(
            [*COMMAND, *map(str, arguments)],
            cwd=here,
            env=environment | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        while True:
            try:
                data = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            shown += data
            if interrupt_at is not None and interrupt_at in shown:
                interrupt_at = None
                process.send_signal(signal.SIGINT)
        os.close(ours)
        out = process.stdout.read().decode()
        process.stdout.close()
        return process.wait(timeout=30), out, shown.decode()

    return run


def test_produce_and_worker_show_progress_and_keep_stdout_pure(config, here, at_terminal):
    lines = (f'{{"id": {i}, "x": {i % 7}, "color": "c", "y": {i % 2}}}\n' for i in range(40_000))
    (here / "many.jsonl").write_text("".join(lines))
    code, out, shown = at_terminal("produce", "many.jsonl", "--json")
    assert code == 0, shown
    assert json.loads(out)["sent"] == 40_000
    assert "checking many.jsonl" in shown
    code, out, shown = at_terminal("worker", "--until-caught-up", "--json")
    assert code == 0, shown
    assert json.loads(out)["counts"]["learned"] == 40_000
    assert "learned" in shown
    assert not shown.lstrip("\x1b[?25l").startswith("{")


def test_errors_are_red(here, at_terminal):
    code, out, shown = at_terminal("check", "--config", "missing.toml")
    assert code == 2
    assert "no such file" in out
    code, out, shown = at_terminal("status", "--config", "missing.toml")
    assert (code, out) == (2, "")
    assert "\x1b[31mError: missing.toml" in shown


def test_ctrl_c_in_produce_tells_how_many_were_sent_and_leaves_with_130(
    config, events, spawn, here, wait_for
):
    produce = spawn("produce", events, "--rate", "2/s")
    wait_for((here / "log.db").exists)
    time.sleep(1.0)
    produce.send_signal(signal.SIGINT)
    _, err = produce.communicate(timeout=60)
    assert produce.returncode == 130
    assert "records were sent to s.events before this" in err
    assert "Traceback" not in err


def test_ctrl_c_at_a_live_demo(at_terminal):
    code, out, shown = at_terminal("demo", "--speed", "6h", "--no-api", interrupt_at=b"per second")
    assert code == 0, shown
    assert "flights: binary" in out
    for text in ("New York departures of 2013", "pending", "ROC AUC of all", "removed"):
        assert text in shown
