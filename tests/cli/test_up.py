"""``up``: two processes that live and die together."""

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")


def children_of(pid):
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if int(fields[1]) == pid:
                found[command[4].decode() if len(command) > 4 else ""] = int(folder.name)
    return found


def is_alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.fixture
def up(config, spawn, wait_for):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = spawn("up", env={"RIVERRUN_API__PORT": str(port)})
    process.url = f"http://127.0.0.1:{port}"
    seen = ""
    while not ("listening" in seen and '"started"' in seen):
        line = process.stderr.readline()
        assert line, seen
        seen += line
    process.seen = seen
    process.children_ids = children_of(process.pid)
    assert set(process.children_ids) == {"worker", "api"}
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_both_cleanly(number, up, events, invoke, wait_for):
    invoke("produce", events)
    wait_for(lambda: invoke("status").exit_code == 0)
    with urllib.request.urlopen(f"{up.url}/healthz", timeout=5) as answer:
        assert answer.status == 200
    up.send_signal(number)
    out, err = up.communicate(timeout=40)
    assert (up.returncode, out) == (0, ""), err
    assert not any(map(is_alive, up.children_ids.values()))
    assert json.loads(invoke("status", "--json").stdout)["counts"]["learned"] == 60


def test_kill_9_of_up_leaves_no_child(up, events, invoke, wait_for):
    up.kill()
    up.wait()
    wait_for(lambda: not any(map(is_alive, up.children_ids.values())), seconds=20)


@pytest.mark.parametrize("name", ["worker", "api"])
def test_when_one_dies_the_other_is_stopped_and_its_code_is_returned(name, up):
    os.kill(up.children_ids[name], signal.SIGKILL)
    _, err = up.communicate(timeout=40)
    assert up.returncode == 128 + signal.SIGKILL
    assert f"the {name} ended by itself with exit code 137" in err
    assert not any(map(is_alive, up.children_ids.values()))


def test_lines_name_their_process(up):
    lines = [json.loads(line) for line in up.seen.splitlines()]
    assert {line["process"] for line in lines} == {"worker", "api"}
    up.terminate()
    up.communicate(timeout=40)


def test_a_mistake_is_said_once_before_anything_starts(config, riverrun):
    config.write_text(config.read_text().replace('name = "s"', 'name = "s"\nstore = "redis://x"'))
    code, _, err = riverrun("up")
    assert code == 2
    assert err.count("stream.store") == 1


def test_a_port_in_use_ends_up_with_3(config, riverrun):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = riverrun(
            "up", "--log-format", "console", env={"RIVERRUN_API__PORT": f"{port}"}
        )
    assert code == 3
    assert f"api    | Error: cannot listen on 127.0.0.1:{port}" in err
    assert "Traceback" not in err
