"""A version is made again from the log, and says what keeps it from being the same."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

import msgspec
import pytest

from stream.errors import RiverrunError
from stream.logs.memory_log import MemoryLog
from stream.records import TopicPartition
from stream.training.job import Job
from stream.training.recipe import NotReproducibleError, recipe_of
from stream.training.reproduce import Reproduction
from stream.training.supervisor import CatchUp
from stream.training.train import Training
from stream.training.training_line import training_line
from stream.versions import Versions
from tests.lines import PIPELINE, SMALL_MONITOR, event, make_config, new_records, truth
from tests.stream.test_lifecycle import RETRAIN, SLOW, ask, bench_of, drive
from tests.stream.test_worker import HandClock

LATE = {"max_delay": "5m"}


@pytest.fixture(autouse=True)
def _polls_do_not_wait(monkeypatch):
    for place in ("worker", "training.reproduce", "training.train"):
        monkeypatch.setattr(f"stream.{place}._POLL_SECONDS", 0.0)


def bench_with_times(url, retrain=RETRAIN, partitions=1, **sections):
    """Return a bench whose log stamps every append with a later time, as real ones do."""
    bench = bench_of(url, retrain, labels=LATE, **sections)
    times = count(1_000_000)
    bench.log = MemoryLog(clock=lambda: next(times))
    bench.log.create_topics(dict.fromkeys(bench.config.topic_names, partitions))
    return bench


def late(start, end, delay=40):
    """Return batches in which every second label comes on its topic, many events later."""
    batches = []
    for at in range(start, end, 20):
        for number in range(at, min(end, at + 20)):
            inside = truth(number) if number % 2 else None
            batches += new_records("s.events", [event(number, inside)])
            if (number - delay) % 2 == 0 and number >= delay:
                due = number - delay
                batches += new_records("s.labels", [{"id": f"e{due}", "y": truth(due)}])
    return [batches[i : i + 30] for i in range(0, len(batches), 30)]


def refreshed(store_url, delay=40, partitions=1, **options):
    """Return a bench whose v2 was promoted, trained on a part of the log."""
    retrain = RETRAIN | {"window": 200} | options
    bench = bench_with_times(store_url, retrain, partitions, model={"pipeline": SLOW})
    drive(bench, bench.worker(), late(0, 900, delay))
    bench.config = make_config(monitor=SMALL_MONITOR, retrain=retrain, labels=LATE)
    worker = bench.worker()
    drive(bench, worker, late(900, 1_800, delay))
    assert worker.line.version == "v2"
    return bench


def reproduce(bench, version="v2", config=None):
    told = []
    recipe = recipe_of(Versions(bench.store), version)
    again = Reproduction(
        recipe,
        config or bench.config,
        bench.log,
        bench.store,
        lambda: 0.0,
        lambda *progress: told.append(progress),
    )
    return again.run(), told


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_promoted_version_is_made_again_and_predicts_the_same(store_url, partitions):
    bench = refreshed(store_url, partitions=partitions)
    found, told = reproduce(bench)
    assert found.notes == []
    assert found.equal
    assert found.largest_difference == 0.0
    assert found.probes == 500
    assert found.learned == found.recipe.learned > 100
    assert found.learned_in_shadow == found.recipe.learned_in_shadow >= 60
    assert found.recipe.start["s.events-0"] > 0, "it trained on a part of the log only"
    assert [what for what, *_ in dict.fromkeys((w,) for w, *_ in told)] == [
        "training", "what waited for labels", "in the shadow",
    ]  # fmt: skip


def test_labels_of_events_before_the_range_are_learned_from_in_the_shadow(store_url, monkeypatch):
    """Without reading from before the range they would be missing: the test of the test."""
    bench = refreshed(store_url, delay=200, window=100, min_events=20)
    monkeypatch.setattr("stream.training.reproduce._earlier", lambda _begin, start: start)
    short, _ = reproduce(bench)
    monkeypatch.undo()
    whole, _ = reproduce(bench)
    assert whole.equal
    assert short.learned_in_shadow < whole.learned_in_shadow
    assert any("in the shadow it learned" in note for note in short.notes)


def test_another_pipeline_would_not_pass_for_the_same(store_url):
    bench = refreshed(store_url)
    recipe = recipe_of(Versions(bench.store), "v2")
    other = msgspec.structs.replace(recipe, pipeline="naive_bayes.GaussianNB()")
    found = Reproduction(
        other, bench.config, bench.log, bench.store, lambda: 0.0, lambda *_: None
    ).run()
    assert not found.equal
    assert found.largest_difference > 0


def test_what_has_expired_cannot_be_made_again(store_url):
    bench = refreshed(store_url)
    recipe = recipe_of(Versions(bench.store), "v2")
    place = TopicPartition("s.events", 0)
    bench.log.expire(place, recipe.start[str(place)])
    found, _ = reproduce(bench)
    assert any("before its range" in note for note in found.notes) or found.equal
    bench.log.expire(place, recipe.start[str(place)] + 1)
    with pytest.raises(NotReproducibleError, match=r"s\.events-0 from offset .* now begins at"):
        reproduce(bench)


def test_a_log_that_was_truncated_says_so(store_url):
    bench = refreshed(store_url)
    bench.log.truncate(TopicPartition("s.events", 0), 400)
    with pytest.raises(RiverrunError, match="truncated"):
        reproduce(bench)


def test_versions_without_a_training_say_why(store_url):
    bench = bench_with_times(store_url)
    worker = bench.worker()
    drive(bench, worker, late(0, 400))
    with pytest.raises(NotReproducibleError, match="no training of its own"):
        recipe_of(Versions(bench.store), "v1")
    ask(worker)
    drive(bench, worker, late(400, 420))
    with pytest.raises(NotReproducibleError, match="never served"):
        recipe_of(Versions(bench.store), "v2")


def test_another_mapping_of_events_is_refused(store_url):
    bench = refreshed(store_url)
    event_section = bench.config.event.model_copy(update={"features": ("a",)})
    config = bench.config.model_copy(update={"event": event_section})
    with pytest.raises(NotReproducibleError, match="event mapping"):
        reproduce(bench, config=config)


@pytest.mark.timeout(20)
def test_records_of_one_partition_beyond_the_target_do_not_stop_a_training(store_url):
    """They are older than what is wanted of another partition: seeking back finds them again."""
    bench = bench_of(store_url)  # a log whose records all have the same time: events come first
    worker = bench.worker()
    events = [event(n, None) for n in range(400)]
    labels = [{"id": f"e{n}", "y": truth(n)} for n in range(400)]
    drive(bench, worker, [new_records("s.events", events), new_records("s.labels", labels)])
    bench.produce(new_records("s.events", [event(n, None) for n in range(400, 3_000)]))
    job = Job({}, 1, 1, {"configured": PIPELINE}, None, None)
    bench.store.runs.begin_training(1, 1, 0.0)
    training = Training(job, bench.config, bench.log, bench.store, worker._clock)
    training.run()
    assert training.line.counts.learned == 400


@pytest.mark.timeout(20)
def test_a_catch_up_does_not_stop_there_either(store_url):
    bench = bench_of(store_url)
    bench.produce(new_records("s.events", [event(n, None) for n in range(3_000)]))
    bench.produce(new_records("s.labels", [{"id": f"e{n}", "y": truth(n)} for n in range(300)]))
    events, labels = TopicPartition("s.events", 0), TopicPartition("s.labels", 0)
    fresh = training_line(bench.config, {"configured": PIPELINE}, None)
    catch_up = CatchUp(bench.config, bench.log, fresh, None, HandClock())
    assert catch_up.step(SimpleNamespace(offsets={events: 400, labels: 200}))
    assert fresh.counts.learned == 200
    assert catch_up.step(SimpleNamespace(offsets={events: 1_000, labels: 300}))
    assert (fresh.counts.learned, fresh.counts.events) == (300, 1_000)
