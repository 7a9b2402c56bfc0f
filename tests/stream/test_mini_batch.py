"""Mini-batches: the same state however records are cut, across restarts; and what cannot be one."""

from __future__ import annotations

import itertools
import pickle
import random

import pytest

from stream.build import build_model, candidate_pipelines
from stream.digest import state_digest
from stream.errors import ConfigError
from stream.pipelines.mini_batch import MiniBatchError, MiniBatchPipeline
from stream.storage.identity import fingerprint
from tests.lines import event, interleaved, make_config, make_line, records, truth
from tests.stream.test_worker import Bench

SIZE = 7
REGRESSION = {
    "task": "regression",
    "pipeline": "preprocessing.StandardScaler() | linear_model.LinearRegression()",
}


@pytest.fixture
def rows():
    return [event(number, truth(number)) for number in range(400)]


def handled(config, rows, cuts, after=lambda line: None):
    line, found = make_line(config), records(config.events_topic, rows)
    while found:
        size = cuts()
        line.handle(found[:size], 0)
        found = found[size:]
        after(line)
    return line


def test_the_state_does_not_depend_on_how_records_are_cut(rows) -> None:
    config, rng = make_config(model={"mini_batch": SIZE}), random.Random(3)
    whole = handled(config, rows, lambda: len(rows))
    assert whole.counts.learned == len(rows)
    assert len(whole.learner.model.waiting) == len(rows) % SIZE != 0
    assert state_digest(handled(config, rows, lambda: rng.randint(1, 9))) == state_digest(whole)

    def through_a_checkpoint(line) -> None:
        line.learner = pickle.loads(pickle.dumps(line.learner))

    pickled = handled(config, rows, lambda: rng.randint(1, 9), through_a_checkpoint)
    assert state_digest(pickled) == state_digest(whole)


def test_what_waits_is_part_of_the_digest(rows) -> None:
    config = make_config(model={"mini_batch": SIZE})
    line = handled(config, rows, lambda: 50)
    before = state_digest(line)
    line.learner.model.waiting[0][0]["a"] += 1.0
    assert state_digest(line) != before


@pytest.mark.parametrize("turns", [1, 3])
def test_a_worker_that_comes_back_goes_on_in_the_middle_of_a_batch(tmp_path, turns) -> None:
    made = interleaved(150)
    sections = {"model": {"mini_batch": SIZE}}
    whole, parts = (
        Bench(f"sqlite:///{tmp_path / name}.db", **sections) for name in ("whole", "parts")
    )
    for bench in (whole, parts):
        bench.produce(made)
    done = whole.run()
    waited = set()
    for _ in range(4):
        count, worker = itertools.count(), parts.worker()
        worker.run(lambda count=count: next(count) >= turns)
        waited.add(len(worker.line.learner.model.waiting))
    worker = parts.run()
    assert waited != {0}
    assert done.line.counts.learned == worker.line.counts.learned > SIZE
    assert state_digest(worker.line) == state_digest(done.line)


def test_predictions_in_between_are_those_of_the_model_as_it_is(rows) -> None:
    config = make_config(model={"mini_batch": SIZE})
    line, found = make_line(config), records(config.events_topic, rows[: 3 * SIZE])
    said = [line.handle([one], 0).predictions[0].served.prediction for one in found]
    assert said[:SIZE] == [0.5] * SIZE
    assert said[SIZE] != 0.5


def test_a_batch_does_what_river_does_with_the_same_frame(rows) -> None:
    import pandas as pd

    config = make_config(model={"mini_batch": SIZE})
    plain, _ = build_model(make_config(), "here")
    line = handled(config, rows[: 2 * SIZE], lambda: 3)
    for start in (0, SIZE):
        part = rows[start : start + SIZE]
        frame = pd.DataFrame([{name: row[name] for name in ("a", "b")} for row in part])
        plain.learn_many(frame, pd.Series([row["y"] for row in part]))
    features = {"a": 0.3, "b": -0.7}
    said = line.learner.model.predict_proba_one(features)
    assert said == pytest.approx(plain.predict_proba_one(features), abs=1e-9)


def test_a_column_that_does_not_vary_is_no_trouble() -> None:
    """River 0.26.1 makes complex numbers of it, and refuses the batch."""
    model, _ = build_model(make_config(model={"mini_batch": 100}), "here")
    for number in range(1_000):
        model.learn_one({"a": float(number % 5), "same": 0.422915}, number % 5 > 2)
    assert model["StandardScaler"].vars["same"] == 0.0
    assert model.predict_proba_one({"a": 4.0, "same": 0.422915})[True] > 0.5


def test_events_with_other_features_are_learned_together_with_their_like() -> None:
    model, _ = build_model(make_config(model=REGRESSION | {"mini_batch": 4}), "here")
    for number in range(8):
        model.learn_one({"a": 1.0 * number} if number % 2 else {"a": 1.0, "b": number}, number)
    assert model.waiting == []
    assert model["StandardScaler"].counts == {"a": 8, "b": 4}


def test_a_batch_that_cannot_be_learned_is_told_and_does_not_stay() -> None:
    model, _ = build_model(make_config(model=REGRESSION | {"mini_batch": 3}), "here")
    model.learn_one({"a": "text"}, 1.0)
    model.learn_one({"b": 2.0}, 1.0)
    with pytest.raises(MiniBatchError, match="gave up of a mini-batch 1 events"):
        model.learn_one({"b": 3.0}, 1.0)
    assert model.waiting == []
    assert model["StandardScaler"].counts["b"] == 2


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"pipeline": "tree.HoeffdingTreeClassifier()"}, "HoeffdingTreeClassifier learns only one"),
        (
            {"pipeline": "preprocessing.MinMaxScaler() | linear_model.LogisticRegression()"},
            "MinMaxScaler learns only one by one",
        ),
    ],
)
def test_a_pipeline_without_learn_many_is_refused(section, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make_line(make_config(model=section | {"mini_batch": 10}))
    candidate = {"candidates": [section], "mini_batch": 10}
    with pytest.raises(ConfigError, match=complaint):
        candidate_pipelines(make_config(model=candidate), "here")


def test_without_pandas_the_error_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr("stream.pipelines.mini_batch.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'riverrun\[minibatch\]'"):
        make_line(make_config(model={"mini_batch": 10}))
    make_line()


def test_another_size_is_another_pipeline_and_none_is_what_it_was() -> None:
    prints = [fingerprint(make_config(model={"mini_batch": size})) for size in (None, 2, 3)]
    assert prints[0] == fingerprint(make_config())
    assert len(set(prints)) == 3


def test_a_clone_has_the_size_and_nothing_that_waits() -> None:
    model, _ = build_model(make_config(model={"mini_batch": 3}), "here")
    model.learn_one({"a": 1.0}, True)
    clone = model.clone()
    assert isinstance(clone, MiniBatchPipeline)
    assert (clone.size, clone.waiting, list(clone.steps)) == (3, [], list(model.steps))
    assert model.waiting == [({"a": 1.0}, True)]
