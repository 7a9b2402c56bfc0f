"""Models per key: what they learn follows from the log alone, wherever they are held."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select, update

from stream.digest import state_digest
from stream.errors import CheckpointDamagedError, ConfigError, HaltedError
from stream.keys.per_key import MAX_KEY, PerKeyLearner
from stream.line import Line
from stream.logs.memory_log import MemoryLog
from stream.records import NewRecord
from stream.snapshot import restore
from stream.storage.backup_file import damages
from stream.storage.connect import connect
from stream.storage.store import Store
from stream.storage.tables import key_models, parts
from tests.lines import event, make_config, make_line, new_records, truth
from tests.stream.test_worker import Bench

PER = {"per": "who", "per_min_events": 3, "per_in_memory": 4}
OFF = {"enabled": False}


@pytest.fixture
def file_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


def keyed(number: int, label: bool | None = None, **fields: Any) -> dict[str, Any]:
    """Return an event of one of 23 keys, some of which come far more often than others."""
    rng = random.Random(number * 7919)
    return event(number, label, who=f"k{int(23 * rng.random() ** 2)}", **fields)


def stream_of(
    count: int, delay: int = 9, topics: tuple[str, str] = ("s.events", "s.labels")
) -> list[NewRecord]:
    """Return events of many keys: some with their label inside, the others with one that waits."""
    events, labels = topics
    rows: list[NewRecord] = []
    for number in range(count + delay):
        if number < count:
            rows += new_records(events, [keyed(number, truth(number) if number % 2 else None)])
        if (settled := number - delay) >= 0 and settled % 2 == 0:
            rows += new_records(labels, [{"id": f"e{settled}", "y": truth(settled)}])
    return rows


def bench_of(url: str, **model: Any) -> Bench:
    sections: dict[str, Any] = {"model": PER | model, "retrain": OFF, "monitor": {"enabled": False}}
    bench = Bench(url, **sections)
    # Each record has a time of its own: so they are read in one order, however they came.
    bench.log = MemoryLog(clock=itertools.count(1_000_000).__next__)
    bench.log.create_topics(dict.fromkeys(bench.config.topic_names, 1))
    return bench


def replay(bench: Bench) -> Line:
    """Return a line that has handled the whole log in one go, with every model in memory."""
    line = make_line(bench.config)
    source = bench.log.source(["s.events", "s.labels"])
    source.seek({})
    assert line.handle(source.poll(100_000, 0.0), 0).halt is None
    return line


def stored_line(bench: Bench) -> Line:
    """Return the line of the newest checkpoint, which loads what it needs from the store."""
    newest = bench.store.newest()
    assert newest is not None
    line = make_line(bench.config)
    restore(line, *bench.store.load(newest))
    learner_of(line).keys.load = bench.store.key_models.load
    return line


def learner_of(line: Line) -> PerKeyLearner:
    assert isinstance(line.learner, PerKeyLearner)
    return line.learner


def assert_same_models(found: Line, wanted: Line) -> None:
    """Compare what is told of both, and what every single key's model predicts."""
    assert state_digest(found) == state_digest(wanted)
    ours, theirs = learner_of(found), learner_of(wanted)
    assert list(ours.keys.keys()) == list(theirs.keys.keys())
    probe = {"a": 0.7, "b": -1.3, "t": 1.0}
    for key in list(theirs.keys.keys()):
        mine, other = ours.keys.get(key), theirs.keys.get(key)
        assert mine is not None
        assert other is not None
        assert mine.learned == other.learned
        assert mine.model.predict_proba_one(probe) == other.model.predict_proba_one(probe)


def test_the_parent_answers_until_a_key_has_enough_labels():
    line = make_line(make_config(model=PER, retrain=OFF))
    said = []
    for number in range(6):
        rows = new_records("s.events", [event(number, True, who="x")])
        step = line.handle([as_read(rows[0], number)], 0)
        said.append(step.predictions[0].served.answered_by)
    assert said == ["parent"] * 3 + ["key"] * 3
    assert learner_of(line).answers == {"parent": 3, "key": 3}


def as_read(row: NewRecord, offset: int) -> Any:
    from stream.records import Record

    return Record(row.topic, 0, offset, 1_000_000 + offset, row.key, row.value)


def test_predictions_say_which_model_answered(store_url):
    bench = bench_of(store_url)
    bench.produce(stream_of(200))
    bench.run()
    said = [
        msgspec.json.decode(record.value)["answered_by"] for record in bench.topic("predictions")
    ]
    assert {"parent", "key"} == set(said)
    status = bench.store.newest().status["keys"]
    assert status["answers"] == {name: said.count(name) for name in ("parent", "key")}


def test_a_stream_without_keys_says_nothing_of_them(store_url):
    bench = Bench(store_url)
    bench.produce(new_records("s.events", [event(1, True)]))
    bench.run()
    assert "answered_by" not in msgspec.json.decode(bench.topic("predictions")[0].value)
    assert bench.store.newest().status["keys"] is None


@pytest.mark.parametrize(("in_memory", "begin"), [(1, "copy"), (4, "fresh"), (1_000, "copy")])
def test_state_equals_that_of_a_replay_whatever_fits_into_memory(file_url, in_memory, begin):
    bench = bench_of(file_url, per_in_memory=in_memory, per_begin=begin)
    rng = random.Random(in_memory)
    rows = stream_of(350)
    while rows:  # a new worker for every few records: each begins with no model in memory
        some = rng.randrange(1, 150)
        bench.produce(rows[:some])
        rows = rows[some:]
        worker = bench.run()
        assert learner_of(worker.line).keys.held <= max(in_memory, 1)
    assert_same_models(stored_line(bench), replay(bench))


@pytest.mark.parametrize("seed", range(4))
def test_keys_beyond_the_limit_are_forgotten_the_same_way(file_url, seed):
    rng = random.Random(seed)
    bench = bench_of(file_url, per_max_keys=rng.choice([1, 3, 7]), per_in_memory=rng.choice([1, 5]))
    rows = stream_of(250)
    while rows:
        some = rng.randrange(1, 120)
        bench.produce(rows[:some])
        rows = rows[some:]
        bench.run()
    line = replay(bench)
    assert learner_of(line).keys.forgotten > 10
    assert_same_models(stored_line(bench), line)
    told = bench.store.newest().status["keys"]
    assert told["keys"] == bench.config.model.per_max_keys
    assert told["made"] - told["forgotten"] == told["keys"]


def test_a_turn_of_many_keys_is_followed_by_a_checkpoint_that_frees_memory(file_url):
    bench = bench_of(file_url, per_in_memory=2)
    bench.produce(stream_of(400))
    worker = bench.run()
    keys = learner_of(worker.line).keys
    assert keys.held <= 2
    assert keys.crowded > 1
    assert keys.loads > 10
    assert keys.spills > 10


def test_a_checkpoint_writes_the_keys_that_changed_and_no_others(file_url):
    bench = bench_of(file_url)
    bench.produce(stream_of(300))
    bench.run()
    before = bench.store.newest().number
    bench.produce(new_records("s.events", [event(9_000 + n, True, who="k1") for n in range(5)]))
    bench.run()
    engine = connect(bench.url)
    with engine.connect() as connection:
        query = select(key_models.c.key).where(key_models.c.number > before)
        assert connection.execute(query).scalars().all() == ["k1"]
    engine.dispose()


def test_rows_that_no_kept_checkpoint_needs_are_deleted(file_url):
    bench = bench_of(file_url, per_in_memory=1_000)
    for number in range(8):
        bench.produce(new_records("s.events", [event(number, True, who="only")]))
        bench.run()
    assert bench.store.key_models.count() == bench.config.checkpoint.keep


def test_going_back_finds_the_models_of_the_older_checkpoint(store_url):
    back = 2
    bench = bench_of(store_url, per_max_keys=9)
    rows = stream_of(400)
    for some in (rows[:250], rows[250:350], rows[350:420], rows[420:]):
        bench.produce(some)
        bench.run()
    newest = [stored.number for stored in bench.store.checkpoints()]
    assert len(newest) == 3
    damage(bench.url, parts, newest[:back])
    bench.produce(new_records("s.events", [keyed(5_000, True)]))
    bench.run()
    kinds = [told["kind"] for told in bench.store.happenings()]
    assert kinds.count("checkpoint_damaged") == back
    assert_same_models(stored_line(bench), replay(bench))


def damage(url: str, table: Any, numbers: list[int]) -> None:
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(
            update(table).where(table.c.number.in_(numbers)).values(data=b"not what was sealed")
        )
    engine.dispose()


def test_a_checkpoint_that_lacks_a_key_is_passed_over(file_url):
    bench = bench_of(file_url)
    for some in range(0, 300, 100):
        bench.produce(stream_of(300)[some : some + 100])
        bench.run()
    engine = connect(bench.url)
    with engine.begin() as connection:
        newest = connection.execute(select(func.max(key_models.c.number))).scalar_one()
        connection.execute(key_models.delete().where(key_models.c.number == newest))
    engine.dispose()
    bench.run()
    assert "checkpoint_damaged" in [told["kind"] for told in bench.store.happenings()]


def test_a_damaged_model_of_a_key_is_named_and_nothing_is_learned_over_it(file_url):
    bench = bench_of(file_url)
    bench.produce(new_records("s.events", [event(n, True, who="x") for n in range(5)]))
    bench.run()
    number = bench.store.newest().number
    damage(bench.url, key_models, [number])
    bench.produce(new_records("s.events", [event(9, True, who="x")]))
    with pytest.raises(CheckpointDamagedError, match="the key 'x'"):
        bench.run()
    assert bench.store.newest().number == number


def test_a_backup_names_the_models_of_keys_that_are_damaged(file_url):
    bench = bench_of(file_url)
    bench.produce(new_records("s.events", [event(n, True, who="x") for n in range(5)]))
    bench.run()
    assert damages(bench.url, None) == []
    damage(bench.url, key_models, [bench.store.newest().number])
    (found,) = damages(bench.url, None)
    assert "the key 'x' of s is damaged" in found


def test_models_are_signed_with_the_secret(file_url):
    bench = bench_of(file_url)
    bench.store = Store(bench.url, "s", secret=b"one")
    bench.produce(stream_of(100))
    bench.run()
    line = stored_line(bench)
    learner_of(line).keys.load = Store(bench.url, "s", secret=b"another").key_models.load
    with pytest.raises(CheckpointDamagedError, match="not signed with RIVERRUN_SECRET"):
        learner_of(line).keys.get("k1")


@pytest.mark.parametrize(
    ("found", "is_key"),
    [("x", True), ("x" * MAX_KEY, True), (7, True), ("x" * (MAX_KEY + 1), False), ("", False),
     (None, False), (1.5, False), (True, False), ("a\x00b", False)],
)  # fmt: skip
def test_an_event_without_a_usable_key_is_the_parents_alone(found, is_key):
    line = make_line(make_config(model=PER | {"per_min_events": 1}, retrain=OFF))
    rows = new_records("s.events", [event(n, True, who=found) for n in range(3)])
    step = line.handle([as_read(row, offset) for offset, row in enumerate(rows)], 0)
    learner = learner_of(line)
    assert (learner.unkeyed, len(learner.keys)) == ((0, 1) if is_key else (3, 0))
    assert line.counts.learned == 3
    assert step.predictions[-1].served.answered_by == ("key" if is_key else "parent")


def test_a_number_and_its_digits_are_one_key():
    line = make_line(make_config(model=PER, retrain=OFF))
    rows = new_records("s.events", [event(1, True, who=7), event(2, True, who="7")])
    line.handle([as_read(row, offset) for offset, row in enumerate(rows)], 0)
    assert list(learner_of(line).keys.keys()) == ["7"]


def test_the_models_do_not_see_the_key_unless_it_is_a_feature():
    seen: list[set[str]] = []
    for is_feature in (False, True):
        model = PER | {"per_feature": is_feature, "pipeline": "naive_bayes.GaussianNB()"}
        learner = learner_of(make_line(make_config(model=model, retrain=OFF)))
        learner.learn({"who": 7, "a": 1.0}, True)
        seen.append(set(learner.model.gaussians[True]))
        kept = learner.keys.get("7")
        assert kept is not None
        seen.append(set(kept.model.gaussians[True]))
    assert seen == [{"a"}, {"a"}, {"a", "who"}, {"a", "who"}]


def test_a_key_begins_as_the_parent_is_or_with_nothing():
    said = {}
    for begin in ("copy", "fresh"):
        model = PER | {"per_begin": begin, "per_min_events": 1}
        learner = learner_of(make_line(make_config(model=model, retrain=OFF)))
        for number in range(200):
            learner.learn({"a": 1.0 if number % 2 else -1.0}, bool(number % 2))
        learner.learn({"who": "x", "a": 1.0}, True)
        said[begin] = learner.predict({"who": "x", "a": 1.0})
        assert learner.answered_by == "key"
    assert said["copy"] > 0.6
    assert said["fresh"] < said["copy"]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"retrain": {"enabled": True}}, "retrain.enabled"),
        ({"model": PER | {"mini_batch": 10}}, "model.mini_batch"),
        ({"model": PER | {"per": "id"}}, "model.per"),
        ({"event": {"features": ["a"]}}, "list it in event.features"),
    ],
)
def test_what_does_not_go_with_keys_is_refused_at_the_start(sections, message):
    with pytest.raises(ConfigError, match=message):
        make_config(**({"model": PER, "retrain": OFF} | sections))


def test_another_key_is_another_stream(file_url):
    bench = bench_of(file_url)
    bench.produce(stream_of(50))
    bench.run()
    with pytest.raises(HaltedError, match="another pipeline"):
        bench.run(config=make_config(model=PER | {"per": "a"}, retrain=OFF))


def test_limits_may_change_between_two_runs(file_url):
    bench = bench_of(file_url, per_in_memory=1_000)
    bench.produce(stream_of(300))
    bench.run()
    kept = len(learner_of(stored_line(bench)).keys)
    config = make_config(model=PER | {"per_max_keys": 3}, retrain=OFF)
    bench.produce(new_records("s.events", [keyed(9_000, True)]))
    worker = bench.run(config=config)
    assert kept > 3
    assert len(learner_of(worker.line).keys) == 3


def test_a_rebuild_learns_all_keys_anew(file_url):
    bench = bench_of(file_url)
    bench.produce(stream_of(300))
    bench.run()
    bench.run(rebuild=True)
    wanted = replay(bench)
    wanted.version = "v2"
    assert_same_models(stored_line(bench), wanted)
