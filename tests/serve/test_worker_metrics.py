"""What the API tells Prometheus of the worker's process, and how far that is behind."""

from __future__ import annotations

import time

from serve.api.worker_metrics import worker_families
from tests.serve.test_health import samples


def until(client, wanted):
    """Ask for metrics until they are as wanted."""
    deadline = time.monotonic() + 20
    while not wanted(found := samples(client.get("/metrics").text)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def lag(found, topic):
    return found.get(f'riverrun_lag_records{{stream="flights",topic="flights.{topic}"}}')


def test_the_lag_grows_while_no_worker_runs_and_is_gone_when_one_has_caught_up(world):
    world.learn(5)
    world.append(*(world.event() for _ in range(7)))
    stream = world.served()
    stream.lag._look_seconds = 0.05
    with world.api(stream) as client:
        until(client, lambda found: lag(found, "events") == 7)
        world.append(world.event())
        found = until(client, lambda found: lag(found, "events") == 8)
        assert lag(found, "labels") == 0
        world.work()
        until(client, lambda found: lag(found, "events") == 0)


def test_a_lag_that_is_not_known_is_absent_and_comes_back(world):
    stream = world.served()
    stream.lag._look_seconds = 0.05
    working = stream.lag._event_log
    with world.api(stream) as client:
        until(client, lambda found: lag(found, "events") is not None)
        stream.lag._source.close()
        stream.lag._event_log = None
        until(client, lambda found: lag(found, "events") is None)
        stream.lag._event_log = working
        until(client, lambda found: lag(found, "events") is not None)


def test_the_workers_time_memory_and_checkpoints_are_told(world):
    world.append({"x": "no id"})
    status = world.work()
    with world.api() as client:
        found = samples(client.get("/metrics").text)
    spent = {
        stage: found[f'riverrun_worker_stage_seconds_total{{stage="{stage}",stream="flights"}}']
        for stage in ("poll", "handle", "publish", "checkpoint")
    }
    assert spent["handle"] > 0
    assert spent == status["worker"]["stages"]
    assert found['riverrun_worker_checkpoints_total{stream="flights"}'] >= 1
    assert found['riverrun_worker_memory_bytes{stream="flights"}'] > 10_000_000
    assert found['riverrun_worker_start_time_seconds{stream="flights"}'] <= time.time()
    letters = {k: v for k, v in found.items() if k.startswith("riverrun_dead_letters_by_reason")}
    assert sum(letters.values()) == 1


def test_reasons_of_dead_letters_are_bounded_and_add_up():
    counts = {f"decode/kind{number}": number for number in range(1, 101)}
    families = {f.name: f for f in worker_families({"s": {"dead_letter_reasons": counts}}, {})}
    found = families["riverrun_dead_letters_by_reason"].samples
    assert len(found) == 31
    assert sum(sample.value for sample in found) == sum(counts.values())
