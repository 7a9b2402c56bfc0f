"""``worker`` and ``api``: they stop when told to, with everything committed."""

import json
import signal
import socket
import subprocess
import urllib.request

import pytest


@pytest.fixture
def status(invoke):
    def read():
        result = invoke("status", "--json")
        return json.loads(result.stdout) if result.exit_code == 0 else None

    return read


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_worker_with_everything_committed(
    number, config, events, invoke, spawn, wait_for, status
):
    invoke("produce", events)
    worker = spawn("worker")
    wait_for(status)
    invoke("produce", "-", stdin='{"id": "late", "x": 1, "y": true}\n')
    wait_for(lambda: status()["counts"]["learned"] == 61)
    worker.send_signal(number)
    _, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err
    assert status()["counts"]["learned"] == 61


def test_an_empty_topic_is_waited_for_with_advice(config, spawn, invoke, wait_for, status, events):
    worker = spawn("worker")
    for line in worker.stderr:
        if "waiting" in line:
            assert "riverrun produce FILE" in json.loads(line)["hint"]
            break
    invoke("produce", events)
    wait_for(lambda: (found := status()) and found["counts"]["learned"] == 60)
    worker.terminate()
    worker.communicate(timeout=60)
    assert worker.returncode == 0


def test_until_caught_up_leaves_at_the_end_of_the_log(config, events, invoke, riverrun):
    invoke("produce", events)
    code, out, err = riverrun("worker", "--until-caught-up")
    assert code == 0, err
    assert out.startswith("s (v1): 60 events, learned 60, pending 0; ROCAUC")
    assert len(out.splitlines()) == 1
    code, out, _ = riverrun("worker", "--until-caught-up", "--json", "--log-level", "error")
    assert json.loads(out)["counts"]["learned"] == 60


def test_rebuild_learns_anew(config, events, invoke, riverrun, status):
    invoke("produce", events)
    riverrun("worker", "--until-caught-up")
    before = status()
    code, _, err = riverrun("worker", "--until-caught-up", "--rebuild")
    assert code == 0, err
    assert status()["model_version"] == "v2"
    assert status()["counts"] == before["counts"]


def test_another_pipeline_halts_with_4(config, events, invoke, riverrun):
    invoke("produce", events)
    riverrun("worker", "--until-caught-up")
    config.write_text(
        '[stream]\nname = "s"\n[event]\nid = "id"\nlabel = "y"\n[model]\ntask = "binary"\n'
        'pipeline = "preprocessing.OneHotEncoder() | linear_model.LogisticRegression()"\n'
    )
    code, out, err = riverrun("worker", "--until-caught-up")
    assert code == 4
    assert out == ""
    assert "another pipeline" in err
    assert "Traceback" not in err


def test_logs_are_json_lines_off_a_terminal_and_nothing_is_on_stdout(
    config, events, invoke, riverrun
):
    invoke("produce", events)
    code, out, err = riverrun("worker", "--until-caught-up", "--json")
    assert code == 0
    json.loads(out)
    lines = [json.loads(line) for line in err.splitlines()]
    assert {line["process"] for line in lines} == {"worker"}
    assert lines[0]["event"] == "started"


def test_logs_for_people_where_they_are_wanted(config, events, invoke, riverrun):
    invoke("produce", events)
    _, _, err = riverrun("worker", "--until-caught-up", "--log-format", "console")
    assert "started" in err
    assert not err.startswith("{")


def test_the_worker_stops_when_its_parents_pipe_closes(config, spawn, wait_for, status, events):
    worker = spawn("worker", "--stop-with-parent", stdin=subprocess.PIPE)
    wait_for(lambda: "started" in worker.stderr.readline())
    worker.stdin.close()
    assert worker.wait(timeout=60) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_api_answers_and_stops_on_sigterm(config, spawn, wait_for):
    port = free_port()
    api = spawn("api", env={"RIVERRUN_API__PORT": str(port)})
    for line in api.stderr:
        if "listening" in line:
            assert json.loads(line)["url"] == f"http://127.0.0.1:{port}"
            break
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
        assert answer.status == 200
    api.terminate()
    out, err = api.communicate(timeout=60)
    assert (api.returncode, out) == (0, ""), err


def test_a_port_in_use_leaves_with_3(config, riverrun):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, out, err = riverrun("api", env={"RIVERRUN_API__PORT": port})
    assert (code, out) == (3, "")
    assert port in err
    assert "Traceback" not in err


def test_a_line_of_the_log_is_for_reading_and_moves_no_cursor(capsys):
    from structlog import get_logger

    from serve.cli.logs import configure_logs
    from serve.cli.options import LogFormat, LogLevel

    found = {"alarms": ["amount", "\x1b[31mred"], "pane": 7}
    configure_logs(LogLevel.INFO, LogFormat.CONSOLE, process="worker")
    get_logger().warning("pane", **found)
    line = capsys.readouterr().err
    assert "process=worker alarms='amount, \\\\x1b[31mred' pane=7" in line
    assert "\x1b" not in line
    get_logger().error("schema_file", message="1 mistake\n  key: found")
    assert "message='1 mistake; key: found'" in capsys.readouterr().err
    configure_logs(LogLevel.INFO, LogFormat.JSON)
    get_logger().warning("pane", **found)
    assert json.loads(capsys.readouterr().err).items() >= found.items()
