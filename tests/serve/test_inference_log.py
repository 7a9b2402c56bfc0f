"""Recording what was served: bounded, retried, counted, drained."""

from __future__ import annotations

import threading
import time

import pytest

from serve.api.inference_log import InferenceLog
from stream.errors import LogUnreachableError, RecordTooLargeError
from stream.logs.memory_log import MemoryLog
from stream.records import NewRecord

PREDICT = "/v1/streams/flights/predict"


class Faulty:
    """A log's sink that a test can break."""

    def __init__(self) -> None:
        self.log = MemoryLog(clock=lambda: 0)
        self.broken = False
        self.attempts = 0
        self.gate = threading.Event()
        self.gate.set()

    def append(self, records):
        self.gate.wait(10)
        self.attempts += 1
        if self.broken:
            raise LogUnreachableError("the broker is away")
        if any(record.value == b"too large" for record in records):
            raise RecordTooLargeError("events", 9, 1)
        return self.log.sink().append(records)

    def flush(self, timeout_seconds: float = 30.0) -> None:
        pass

    def close(self) -> None:
        pass

    def probe(self) -> None:
        if self.broken:
            raise LogUnreachableError("the broker is away")

    @property
    def values(self) -> list[bytes]:
        return [record.value for record in self.log.source(["events"]).poll(10_000, 0)]


def record(value: bytes) -> NewRecord:
    return NewRecord("events", b"k", value)


@pytest.fixture
def sink() -> Faulty:
    return Faulty()


def inference_log(sink: Faulty, capacity: int = 1_000) -> InferenceLog:
    return InferenceLog(sink, capacity, probe=sink.probe, stream="flights")


def test_everything_is_appended_in_order(sink):
    log = inference_log(sink, 5_000)
    log.start()
    sent = [str(number).encode() for number in range(3_000)]
    assert all(log.offer(record(value)) for value in sent)
    log.stop(grace_seconds=5)
    assert sink.values == sent
    assert (log.appended, log.shed, log.lost, len(log)) == (3_000, 0, 0, 0)


def test_a_full_queue_sheds_the_newest_and_counts_it(sink):
    sink.gate.clear()
    log = inference_log(sink, capacity=10)
    log.start()
    taken = [log.offer(record(str(number).encode())) for number in range(15)]
    assert taken == [True] * 10 + [False] * 5
    sink.gate.set()
    log.stop(grace_seconds=5)
    assert sink.values == [str(number).encode() for number in range(10)]
    assert (log.appended, log.shed) == (10, 5)


def test_a_full_queue_sheds_the_oldest_that_still_waits_where_that_is_configured(sink, wait):
    sink.gate.clear()
    dropped: list[NewRecord] = []
    log = InferenceLog(
        sink, 10, probe=sink.probe, stream="flights", shed="oldest", dropped=dropped.append
    )
    assert log.offer(record(b"first"))
    log.start()
    wait(lambda: log._appending)  # cannot be taken back any more
    taken = [log.offer(record(str(number).encode())) for number in range(15)]
    assert taken == [True] * 15
    sink.gate.set()
    log.stop(grace_seconds=5)
    assert sink.values == [b"first", *(str(number).encode() for number in range(6, 15))]
    assert [one.value for one in dropped] == [str(number).encode() for number in range(6)]
    assert (log.appended, log.shed, log.lost) == (10, 6, 0)


def test_where_all_is_being_appended_even_the_oldest_policy_sheds_the_newest(sink, wait):
    sink.gate.clear()
    log = InferenceLog(sink, 1, probe=sink.probe, stream="flights", shed="oldest")
    assert log.offer(record(b"first"))
    log.start()
    wait(lambda: log._appending)
    assert not log.offer(record(b"second"))
    sink.gate.set()
    log.stop(grace_seconds=5)
    assert (log.appended, log.shed) == (1, 1)


def test_a_log_that_fails_is_tried_again_and_says_so_meanwhile(sink, wait):
    log = inference_log(sink)
    log.start()
    assert log.trouble is None
    sink.broken = True
    assert log.offer(record(b"1"))
    wait(lambda: log.trouble == "the broker is away")
    wait(lambda: sink.attempts >= 3)
    sink.broken = False
    wait(lambda: log.appended == 1)
    assert log.trouble is None
    log.stop(grace_seconds=5)
    assert sink.values == [b"1"]


def test_a_quiet_log_is_asked_whether_it_still_accepts(sink, wait, monkeypatch):
    monkeypatch.setattr("serve.api.inference_log._PROBE_SECONDS", 0.01)
    log = inference_log(sink)
    log.start()
    sink.broken = True
    wait(lambda: log.trouble == "the broker is away")
    sink.broken = False
    wait(lambda: log.trouble is None)
    log.stop(grace_seconds=5)
    assert sink.attempts == 0


def test_what_cannot_be_written_within_the_grace_is_counted_as_lost(sink, wait):
    sink.broken = True
    log = inference_log(sink)
    log.start()
    for _ in range(7):
        log.offer(record(b"x"))
    wait(lambda: sink.attempts >= 1)
    started = time.monotonic()
    log.stop(grace_seconds=0.3)
    assert time.monotonic() - started < 2
    assert (log.appended, log.lost, len(log)) == (0, 7, 0)
    log.stop(grace_seconds=0.3)
    assert log.lost == 7


def test_a_log_that_comes_back_within_the_grace_loses_nothing(sink):
    sink.broken = True
    log = inference_log(sink)
    log.start()
    log.offer(record(b"x"))
    timer = threading.Timer(0.3, lambda: setattr(sink, "broken", False))
    timer.start()
    log.stop(grace_seconds=5)
    timer.join()
    assert (log.appended, log.lost) == (1, 0)


def test_an_append_that_hangs_does_not_hold_up_the_stop(sink):
    sink.gate.clear()
    log = inference_log(sink)
    log.start()
    log.offer(record(b"x"))
    started = time.monotonic()
    log.stop(grace_seconds=0.2)
    assert time.monotonic() - started < 2
    assert log.lost == 1
    sink.gate.set()


def test_after_the_stop_nothing_more_is_taken(sink):
    log = inference_log(sink)
    log.start()
    log.stop(grace_seconds=1)
    assert not log.offer(record(b"x"))
    assert log.shed == 1


def test_a_record_that_the_log_will_never_take_does_not_block_the_others(sink):
    log = inference_log(sink)
    for value in (b"1", b"too large", b"2"):
        log.offer(record(value))
    log.start()
    log.stop(grace_seconds=5)
    assert sink.values == [b"1", b"2"]
    assert (log.appended, log.lost) == (2, 1)


def test_with_the_log_down_predictions_go_on_and_readyz_is_red(world, wait, monkeypatch):
    stream = world.served()

    def fail(records):
        raise LogUnreachableError("the broker is away")

    with world.api(stream) as client:
        append = stream._sink.append
        monkeypatch.setattr(stream._sink, "append", fail)
        answer = client.post(PREDICT, json={"event": world.event()})
        assert (answer.status_code, answer.json()["recorded"]) == (200, True)
        wait(lambda: client.get("/readyz").status_code == 503)
        ready = client.get("/readyz").json()
        assert ready["parts"]["flights"]["log"] == "the broker is away"
        assert "flights: log: the broker is away" in ready["detail"]
        assert client.post(PREDICT, json={"event": world.event()}).status_code == 200
        assert 'riverrun_log_up{stream="flights"} 0.0' in client.get("/metrics").text
        monkeypatch.setattr(stream._sink, "append", append)
        wait(lambda: client.get("/readyz").status_code == 200)
        wait(lambda: len(world.records()) == 22)


def test_a_shed_prediction_is_answered_counted_and_said_not_to_be_recorded(make_world, monkeypatch):
    world = make_world(api={"queue": 2})
    world.learn()
    stream = world.served()
    gate = threading.Event()
    append = stream._sink.append
    monkeypatch.setattr(stream._sink, "append", lambda r: gate.wait(10) and append(r))
    with world.api(stream) as client:
        answers = [client.post(PREDICT, json={"event": world.event()}).json() for _ in range(5)]
        metrics = client.get("/metrics").text
        gate.set()
    assert [answer["recorded"] for answer in answers] == [True, True, False, False, False]
    assert 'riverrun_inference_log_shed_total{stream="flights"} 3.0' in metrics
    assert 'riverrun_inference_log_queued{stream="flights"} 2.0' in metrics
    assert len(world.records()) == 22


def test_stopping_the_application_drains_what_was_served(world):
    with world.api() as client:
        events = [world.event() for _ in range(500)]
        client.post(f"{PREDICT}/batch", json={"events": events})
    assert len(world.records()) == 520
