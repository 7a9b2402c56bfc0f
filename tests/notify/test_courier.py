"""Alerts over real HTTP: in order, again after failures, never elsewhere, and never in the way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import time

import pytest

from serve.compose import Secrets
from serve.notify.courier import LONGEST_SECONDS, POLL_SECONDS, Courier
from serve.notify.couriers import alert_receivers, delivering
from stream.clock import SystemClock
from stream.errors import ConfigError
from stream.storage.store import Store
from tests.lines import make_config
from tests.notify.listener import Listener, reply
from tests.notify.scene import Writer, change, pane


class StillClock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.time = 10_000.0

    def now(self):
        return self.time

    monotonic = now


class Bench:
    """A store, a webhook, and the courier between them."""

    def __init__(self, store, listener, secrets=None, queue=100, max_age=600.0, **alerts):
        self.store, self.clock = store, StillClock()
        self.writer = Writer(store)
        alerts = {"webhook": f"{listener.url}/hook", "timeout": "300ms"} | alerts
        config = make_config(alerts=alerts)
        (self.receiver,) = alert_receivers(config, secrets or Secrets(), self.clock)
        self.courier = Courier(
            store.outbox,
            self.receiver,
            self.clock,
            max_age_seconds=max_age,
            queue=queue,
            jitter=lambda: 1.0,
        )
        store.outbox.begin(self.receiver.name)

    def promote(self, *runs, at=None):
        at = self.clock.time if at is None else at
        self.writer.commit(at, changes=tuple(change(run, "promoted") for run in runs))

    @property
    def delivery(self):
        return self.store.outbox.deliveries()[self.receiver.name]


@pytest.fixture
def bench(store, listener):
    return Bench(store, listener)


def ids(listener):
    return [received.json["id"] for received in listener.received]


def test_alerts_arrive_in_order_as_documented_json(bench, listener):
    bench.promote(1, 2)
    assert bench.courier.turn() == POLL_SECONDS
    assert ids(listener) == ["s/promoted/run/1", "s/promoted/run/2"]
    first = listener.received[0]
    assert first.path == "/hook"
    assert first.headers["webhook-id"] == "s/promoted/run/1"
    assert "webhook-signature" not in first.headers
    assert "authorization" not in first.headers
    assert first.json == {
        "id": "s/promoted/run/1",
        "kind": "promoted",
        "status": "firing",
        "severity": "info",
        "stream": "s",
        "started_at": "1970-01-01T02:46:40.000Z",
        "ended_at": None,
        "summary": "Because.",
        "detail": {"run": 1, "event_time": 5_000},
        "version": "v2",
        "runbook_url": "docs/runbook.md#riverrunpromoted",
    }
    assert (bench.delivery.sent, bench.delivery.failed, bench.delivery.waiting) == (2, 0, 0)


def test_a_token_and_a_signature_come_from_the_environment(store, listener):
    bench = Bench(store, listener, Secrets(webhook_token="abc", webhook_secret=b"key"))
    bench.promote(1)
    bench.courier.turn()
    (one,) = listener.received
    assert one.headers["authorization"] == "Bearer abc"
    signed = b".".join(
        [one.headers["webhook-id"].encode(), one.headers["webhook-timestamp"].encode(), one.body]
    )
    expected = base64.b64encode(hmac.new(b"key", signed, hashlib.sha256).digest()).decode()
    assert one.headers["webhook-signature"] == f"v1,{expected}"


def test_a_token_that_would_break_out_of_its_header_is_refused(store, listener):
    with pytest.raises(ConfigError, match="RIVERRUN_ALERTS_WEBHOOK_TOKEN"):
        Bench(store, listener, Secrets(webhook_token="abc\r\nX-Other: 1"))


def test_failures_wait_longer_each_time_and_keep_the_order(bench, listener):
    listener.answer = lambda handler: reply(handler, 503)
    bench.promote(1, 2)
    delays = [bench.courier.turn() for _ in range(12)]
    assert delays[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert delays[-1] == LONGEST_SECONDS
    assert set(ids(listener)) == {"s/promoted/run/1"}
    assert (bench.delivery.failed, bench.delivery.waiting) == (12, 2)
    assert "503" in bench.delivery.last_error
    listener.answer = lambda handler: reply(handler, 204)
    assert bench.courier.turn() == POLL_SECONDS
    assert ids(listener)[-2:] == ["s/promoted/run/1", "s/promoted/run/2"]
    assert (bench.delivery.sent, bench.delivery.last_error) == (2, None)


def test_a_receiver_that_asks_for_time_gets_it(bench, listener):
    listener.answer = lambda handler: reply(handler, 429, Retry_After="60")
    bench.promote(1)
    assert bench.courier.turn() == 60.0


def test_what_the_receiver_can_never_take_does_not_hold_up_the_rest(bench, listener):
    def picky(handler):
        reply(handler, 400 if ids(listener)[-1].endswith("/1") else 200, b"no\x1b[31m such thing")

    listener.answer = picky
    bench.promote(1, 2)
    assert bench.courier.turn() == POLL_SECONDS
    assert (bench.delivery.sent, bench.delivery.failed, bench.delivery.dropped) == (1, 1, 1)


def test_a_redirect_is_not_followed_anywhere(store, listener):
    other = Listener()
    bench = Bench(store, listener, Secrets(webhook_token="abc"))
    target = f"{other.url}/secret/path"
    for status in (301, 302, 307, 308):
        listener.answer = lambda h, s=status: reply(h, s, Location=target)
        bench.promote(status)
        bench.courier.turn()
    other.stop()
    assert other.received == []
    error = bench.delivery.last_error
    assert f"points to 127.0.0.1:{other.port}: redirects are not followed" in error
    assert "secret" not in error
    assert bench.delivery.waiting == 4


def test_a_server_that_hangs_is_given_up_in_time(bench, listener):
    listener.answer = listener.hang
    bench.promote(1)
    began = time.monotonic()
    assert bench.courier.turn() == 1.0
    assert time.monotonic() - began < 2.0
    assert "timed out" in bench.delivery.last_error.lower()


def test_an_answer_that_trickles_does_not_hold_the_courier(bench, listener):
    def trickle(handler):
        handler.send_response(500)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not listener.leaving.wait(0.05):
            handler.wfile.write(b"x")

    listener.answer = trickle
    bench.promote(1)
    began = time.monotonic()
    assert bench.courier.turn() == 1.0
    assert time.monotonic() - began < 2.0


def test_an_error_names_the_host_and_not_the_path(store):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        nobody = type("Nobody", (), {"url": f"http://127.0.0.1:{port}/services/T0/SECRET"})
        bench = Bench(store, nobody)
        bench.promote(1)
        assert bench.courier.turn() == 1.0
    assert f"http://127.0.0.1:{port}" in bench.delivery.last_error
    assert "SECRET" not in bench.delivery.last_error


def test_old_alerts_and_too_many_are_given_up_but_only_after_a_try(store, listener):
    bench = Bench(store, listener, queue=3, max_age=600.0)
    bench.promote(1, at=bench.clock.time - 900.0)
    bench.courier.turn()
    assert ids(listener) == ["s/promoted/run/1"]  # late, and better than never
    listener.answer = lambda handler: reply(handler, 500)
    bench.promote(2, at=bench.clock.time - 900.0)
    bench.promote(3, 4, 5, 6, 7)
    bench.courier.turn()
    assert (bench.delivery.dropped, bench.delivery.waiting) == (3, 3)
    listener.answer = lambda handler: reply(handler, 200)
    bench.courier.turn()
    assert ids(listener)[-3:] == [f"s/promoted/run/{n}" for n in (5, 6, 7)]


def test_a_bug_in_a_receiver_is_counted_and_tried_again(bench, monkeypatch):
    def broken(data):
        raise KeyError("a bug")

    monkeypatch.setattr(bench.receiver, "send", broken)
    bench.promote(1)
    assert bench.courier.turn() == 1.0
    assert bench.delivery.last_error == "KeyError, see the log"
    monkeypatch.undo()
    assert bench.courier.turn() == POLL_SECONDS
    assert bench.delivery.sent == 1


def test_a_crash_after_the_commit_loses_nothing(store, listener):
    """Taken or not, what one courier left behind is delivered by the next."""
    bench = Bench(store, listener)
    bench.promote(1)
    store.outbox.take("webhook", bench.receiver.choose)  # and then it dies
    bench.promote(2)
    again = Bench(store, listener)
    again.courier.turn()
    assert ids(listener) == ["s/promoted/run/1", "s/promoted/run/2"]


def test_a_crash_between_delivery_and_the_note_of_it_repeats_the_id(bench, listener, monkeypatch):
    bench.promote(1)
    monkeypatch.setattr(bench.store.outbox, "delivered", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bench.courier.turn()
    monkeypatch.undo()
    bench.courier.turn()
    assert ids(listener) == ["s/promoted/run/1"] * 2


def running(store_url, listener, **alerts):
    config = make_config(alerts={"webhook": listener.url, "timeout": "500ms"} | alerts)
    store = Store(store_url, "s")
    return store, delivering(config, Secrets(), store, SystemClock())


def test_what_waits_at_the_end_is_delivered_before_it(store_url, listener):
    store, context = running(store_url, listener)
    with context:
        Writer(store).commit(time.time(), ("halted", {"message": "enough"}))
    assert ids(listener) == ["s/halted/1"]
    store.close()


def test_a_hanging_receiver_does_not_keep_the_worker_from_ending(store_url, listener):
    listener.answer = listener.hang
    store, context = running(store_url, listener)
    with context:
        Writer(store).commit(time.time(), pane(1, "DRIFT", "alert"), state="DRIFT")
        began = time.monotonic()
    assert time.monotonic() - began < 4.0
    assert store.outbox.deliveries()["webhook"].waiting == 1
    store.close()


def test_receivers_do_not_wait_for_one_another(store_url, listener):
    other = Listener()
    listener.answer = listener.hang
    store, context = running(store_url, listener, alertmanager=other.url, timeout="10s")
    with context:
        Writer(store).commit(time.time(), pane(1, "DRIFT", "alert"), state="DRIFT")
        deadline = time.monotonic() + 8.0
        while not other.received and time.monotonic() < deadline:
            time.sleep(0.05)
        listener.leaving.set()
    other.stop()
    assert other.received[0].path == "/api/v2/alerts"
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/x",
        "example.org/hook",
        "http://",
        "https://name:secret@example.org/",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://exam ple.org/",
        "http://example.org/\r\nX: 1",
    ],
)
def test_an_address_that_cannot_be_posted_to_is_a_persons_mistake(url):
    with pytest.raises(Exception, match=r"alerts\.webhook"):
        make_config(alerts={"webhook": url})
