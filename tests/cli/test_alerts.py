"""``riverrun alerts``, and a worker that is told to tell."""

from __future__ import annotations

import json
import signal
from contextlib import closing

import pytest

from stream.logs.open_log import open_log
from stream.records import NewRecord
from tests.cli.conftest import EVENTS
from tests.notify.listener import Listener, reply


@pytest.fixture
def listener():
    one = Listener()
    yield one
    one.stop()


@pytest.fixture
def alerting(config, listener):
    """A configuration that names the webhook, and stops at few dead letters."""
    text = f'{EVENTS}\n[alerts]\nwebhook = "{listener.url}/hook"\ntimeout = "500ms"\n'
    config.write_text(f"{text}\n[dead_letters]\nwindow = 10\nmax_share = 0.5\n")
    return config


@pytest.fixture
def break_the_events(alerting, invoke):
    """Append more broken records than the worker bears."""

    def append():
        assert invoke("check").exit_code == 0
        with closing(open_log("sqlite:///log.db")) as log:
            sink = log.sink()
            sink.append([NewRecord("s.events", None, b'{"broken')] * 20)
            sink.flush()

    return append


def kinds(listener):
    return [(one.json["kind"], one.json["status"]) for one in listener.received]


def test_a_test_alert_is_sent_at_once(alerting, invoke, listener):
    result = invoke("alerts", "test")
    assert result.exit_code == 0, result.output
    assert result.stdout == "webhook: accepted\n"
    (one,) = listener.received
    assert (one.json["kind"], one.json["stream"], one.path) == ("test", "s", "/hook")


def test_a_test_alert_that_fails_says_why(alerting, invoke, listener):
    listener.answer = lambda handler: reply(handler, 403, b"who are you?")
    result = invoke("alerts", "test", "--json")
    assert result.exit_code == 3
    said = json.loads(result.stdout)["receivers"]["webhook"]
    assert said.endswith("answers 403: who are you?")


def test_without_anybody_to_tell_it_says_what_to_set(config, invoke):
    result = invoke("alerts", "test")
    assert result.exit_code == 2
    assert "alerts.webhook" in result.stderr


def test_a_worker_that_stops_says_so_before_it_leaves(
    alerting, invoke, riverrun, listener, break_the_events, events
):
    invoke("produce", events)
    break_the_events()
    code, _, _ = riverrun("worker", "--until-caught-up")
    assert code == 4
    assert kinds(listener) == [("halted", "firing")]
    assert "records were dead letters" in listener.received[0].json["summary"]
    listed = invoke("alerts", "list")
    assert "critical halted since" in listed.stdout
    status = json.loads(invoke("status", "--json").stdout)
    assert status["deliveries"]["webhook"]["sent"] == 1
    # Mended: the rest is few, and the worker goes on.
    alerting.write_text(alerting.read_text().replace("max_share = 0.5", "max_share = 1"))
    assert riverrun("worker", "--until-caught-up")[0] == 0
    assert kinds(listener)[1:] == [("halted", "resolved")]
    assert "nothing is wrong" in invoke("alerts", "list").stdout


def test_a_worker_that_refuses_to_start_says_so_once(alerting, invoke, riverrun, listener, events):
    invoke("produce", events)
    assert riverrun("worker", "--until-caught-up")[0] == 0
    alerting.write_text(alerting.read_text().replace('types]\nx = "float"', 'types]\nx = "int"'))
    for _ in range(2):
        assert riverrun("worker", "--until-caught-up")[0] == 4
    assert kinds(listener) == [("halted", "firing")]
    assert "another pipeline" in listener.received[0].json["summary"]


def test_what_a_worker_could_not_deliver_is_delivered_without_it(
    alerting, invoke, riverrun, listener, break_the_events
):
    listener.answer = lambda handler: reply(handler, 503)
    break_the_events()
    assert riverrun("worker", "--until-caught-up")[0] == 4
    assert riverrun("alerts", "send", "--once")[0] == 3
    listener.answer = lambda handler: reply(handler, 200)
    code, _, err = riverrun("alerts", "send", "--once")
    assert code == 0, err
    assert len({one.json["id"] for one in listener.received}) == 1
    shown = json.loads(invoke("alerts", "list", "--json").stdout)
    assert shown["deliveries"]["webhook"]["sent"] == 1
    assert shown["deliveries"]["webhook"]["failed"] >= 2


@pytest.mark.parametrize("command", [("worker",), ("alerts", "send")])
def test_sigterm_ends_it_while_the_receiver_hangs(
    alerting, invoke, spawn, wait_for, listener, break_the_events, riverrun, command
):
    listener.answer = listener.hang
    break_the_events()
    assert riverrun("worker", "--until-caught-up")[0] == 4
    alerting.write_text(alerting.read_text().replace("max_share = 0.5", "max_share = 1"))
    before = len(listener.received)
    process = spawn(*command)
    wait_for(lambda: len(listener.received) > before)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)


def test_killed_with_an_alert_on_its_way_the_next_worker_delivers_it(
    alerting, invoke, spawn, wait_for, listener, break_the_events, riverrun
):
    listener.answer = listener.hang
    alerting.write_text(alerting.read_text().replace('"500ms"', '"60s"'))
    break_the_events()
    process = spawn("worker")
    wait_for(lambda: listener.received)
    process.kill()
    process.wait()
    listener.answer = lambda handler: reply(handler, 200)
    riverrun("worker", "--until-caught-up")
    ids = [one.json["id"] for one in listener.received if one.json["status"] == "firing"]
    assert len(ids) == 2
    assert len(set(ids)) == 1
