"""Versions: where each comes from, what became of it, and how a person puts one in place."""

from __future__ import annotations

import pickle

import pytest
from river import linear_model

from stream.errors import FencedError
from stream.learner import Learner
from stream.lifecycle.live import adopt, fail, put_in_place
from stream.lifecycle.shadow import Adopted
from stream.versions import UnknownVersionError, Versions, pipeline_of, served_before
from stream.watching.state import read_reference
from tests.lines import PIPELINE, SMALL_MONITOR, event, make_config, new_records, truth
from tests.stream.test_lifecycle import (
    RETRAIN,
    SLOW,
    ask,
    bench_of,
    drive,
    pieces,
    rows,
    states,
)


@pytest.fixture(autouse=True)
def _polls_do_not_wait(monkeypatch):
    monkeypatch.setattr("stream.worker._POLL_SECONDS", 0.0)


@pytest.fixture
def bench(store_url):
    return bench_of(store_url)


def promoted(store_url, end=3_000):
    """Return a bench whose worker serves v2, and the worker."""
    bench = bench_of(store_url, model={"pipeline": SLOW})
    drive(bench, bench.worker(), pieces(0, 1_000))
    bench.config = make_config(monitor=SMALL_MONITOR, retrain=RETRAIN)
    worker = bench.worker()
    drive(bench, worker, pieces(1_000, end))
    assert worker.line.version == "v2"
    return bench, worker


def carried_out(bench, worker, kind, start, **detail):
    key = bench.store.runs.ask(kind, {"reason": "a test"} | detail, "ops", 0.0)
    drive(bench, worker, [rows(start, start + 20)])
    return bench.store.runs.answer(key)


def test_a_promotion_is_written_down_with_all_that_led_to_it(store_url):
    bench, _ = promoted(store_url)
    changes = bench.store.runs.changes(version="v2")
    found = {change["state"]: change["detail"] for change in changes}
    trained, decided = found["shadow"], found["promoted"]
    assert trained["seed"] == 42
    assert trained["libraries"]["river"]
    assert trained["fingerprint"]
    assert trained["schema"].startswith("#") or "[features" in trained["schema"]
    assert trained["caught_up"]["offsets"]["s.events-0"] == trained["at"]["offsets"]["s.events-0"]
    assert trained["caught_up"]["learned"] > 0
    assert decided["pipeline"] == PIPELINE
    assert decided["former"] == {"version": "v1", "pipeline": SLOW}
    assert decided["at"]["learned"] - trained["at"]["learned"] >= decided["labels"]
    assert set(decided["champion_scores"]) == {"ROCAUC", "LogLoss"}


def test_versions_say_where_they_come_from_and_what_became_of_them(store_url):
    bench, _ = promoted(store_url)
    found = {one.version: one for one in Versions(bench.store).all()}
    assert [found["v2"].state, found["v1"].state] == ["serving", "kept"]
    assert [found["v2"].trigger, found["v1"].trigger] == ["change", "first"]
    assert found["v2"].run == 1
    assert found["v2"].gate["challenger_loss"] < found["v2"].gate["champion_loss"]
    assert found["v2"].moments == ["promoted"]
    assert found["v1"].moments == ["left"]
    rows = {row["version"]: row["reason"] for row in bench.store.versions()}
    assert rows["v1"] == "the first of this stream"
    assert "v2 is better than v1" in rows["v2"]
    assert found["v1"].can_be_promoted
    assert not found["v2"].can_be_promoted
    with pytest.raises(UnknownVersionError, match=r"v9.*v1, v2"):
        Versions(bench.store).one("v9")


def test_a_run_under_way_and_a_rejected_one_are_told_apart(bench):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 400))
    ask(worker)
    drive(bench, worker, [rows(400, 440)])
    assert Versions(bench.store).one("v2").state == "shadow"
    drive(bench, worker, pieces(440, 2_000))
    found = Versions(bench.store).one("v2")
    assert (found.state, found.by, found.reason) == ("rejected", "tester", "a test")
    assert not found.can_be_promoted


def test_the_status_tells_the_run_and_its_evidence(bench):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 400))
    ask(worker)
    drive(bench, worker, pieces(400, 460, 20))
    found = bench.store.newest().status["retrain"]
    assert (found["run"]["version"], found["run"]["phase"]) == ("v2", "shadow")
    (shadow,) = found["run"]["shadows"]
    assert shadow["gate"]["labels"] == 40
    assert found["changes"] == {"training": 1, "shadow": 1}


def test_a_rollback_puts_the_version_back_that_served_before(store_url):
    bench, worker = promoted(store_url)
    assert carried_out(bench, worker, "rollback", 3_000) == "v1 serves"
    assert worker.line.version == "v1"
    assert Versions(bench.store).one("v1").state == "probation"
    assert worker.line.lifecycle.pipeline == SLOW
    assert carried_out(bench, worker, "rollback", 3_020) == "v2 serves"


def test_there_is_no_way_back_from_the_first_version(bench):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 300))
    assert carried_out(bench, worker, "rollback", 300) == "refused: nothing served before v1"


def test_the_reference_of_a_version_comes_back_with_it_and_is_not_overwritten(
    store_url, monkeypatch
):
    monkeypatch.setattr("stream.training.training_watch.FEWEST", 50)
    bench, worker = promoted(store_url)
    before = {name: bench.store.history.reference(name) for name in ("v1", "v2")}
    assert before["v1"] != before["v2"]
    assert carried_out(bench, worker, "promote", 3_000, version="v1") == "v1 serves"
    assert worker.line.version == "v1"
    assert {name: bench.store.history.reference(name) for name in before} == before
    layout = worker.line.watch.monitor.reference.layout
    assert read_reference(before["v1"]).layout.fingerprint == layout.fingerprint


def test_a_champion_that_comes_back_in_its_probation_has_learned_on(store_url):
    bench = bench_of(store_url)
    worker = bench.worker()
    drive(bench, worker, pieces(0, 600))
    champion = worker.line.learner
    put_in_place(worker.line, "v2", Learner(linear_model.LogisticRegression(), "binary"), "a", "b")
    assert carried_out(bench, worker, "rollback", 600) == "v1 serves"
    assert worker.line.learner is champion


def test_cancel_names_the_run_and_refuses_where_there_is_none(bench):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 400))
    said = carried_out(bench, worker, "cancel", 400)
    assert said == "refused: no run is under way that could be called off"
    ask(worker)
    said = carried_out(bench, worker, "cancel", 420, run=7)
    assert said == "refused: run 7 is not under way, run 1 is"
    assert carried_out(bench, worker, "cancel", 440, run=1) == "run 1 was called off"
    assert bench.store.runs.training(1) is None


def test_a_worker_that_retrains_nothing_says_so(store_url):
    bench = bench_of(store_url, RETRAIN | {"enabled": False})
    worker = bench.worker()
    drive(bench, worker, pieces(0, 40))
    assert "retrain.enabled" in carried_out(bench, worker, "retrain", 40)


def test_a_model_that_is_brought_becomes_a_version_that_can_be_promoted(bench):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 400))
    model = pickle.dumps(Learner(linear_model.LogisticRegression(), "binary"), 5)
    reference = bench.store.history.reference("v1")
    runs = bench.store.runs
    detail = {"reason": "from the lab", "pipeline": "p"}
    key = runs.ask("import", detail, "ops", 0.0, (model, reference))
    drive(bench, worker, [rows(400, 420)])
    assert runs.answer(key) == "v2 was imported"
    assert runs.brought(key) is None
    found = Versions(bench.store).one("v2")
    assert (found.state, found.trigger, found.by) == ("kept", "import", "ops")
    assert bench.store.history.reference("v2") == reference
    assert worker.line.version == "v1"
    assert carried_out(bench, worker, "promote", 420, version="v2") == "v2 serves"
    assert worker.line.lifecycle.pipeline == "p"
    assert ask(worker)
    assert worker.line.lifecycle.run.version == "v3"


def test_an_import_is_not_taken_in_twice_by_a_worker_that_comes_back(bench):
    worker = bench.worker()
    drive(bench, worker, pieces(0, 300))
    bench.store.runs.ask("import", {}, "ops", 0.0, (b"model", None))
    drive(bench, worker, [rows(300, 320)])
    again = bench.worker()
    drive(bench, again, [rows(320, 340)])
    assert [row["version"] for row in bench.store.runs.kept()] == ["v2"]


def test_what_a_rejected_challenger_said_is_not_weighed_for_the_next_of_its_name(bench):
    """Labels come late: predictions of the run before still wait for theirs."""
    worker = bench.worker()
    drive(bench, worker, pieces(0, 400))

    def challenge():
        ask(worker)
        learner = Learner(linear_model.LogisticRegression(), "binary")
        adopt(worker.line, [Adopted("configured", "p", learner)], None, {})

    challenge()
    drive(bench, worker, [new_records("s.events", [event(n) for n in range(400, 500)])])
    fail(worker.line, "enough", "cancelled")
    challenge()
    labels = [{"id": f"e{n}", "y": truth(n)} for n in range(400, 500)]
    drive(bench, worker, [new_records("s.labels", labels), rows(500, 520)])
    (shadow,) = worker.line.lifecycle.shadows
    assert shadow.version == "v3"
    assert shadow.gate.labels == 20


def test_a_rolled_back_version_says_so(store_url):
    bench = bench_of(store_url)
    worker = bench.worker()
    drive(bench, worker, pieces(0, 600))
    put_in_place(worker.line, "v2", Learner(_Wrong(), "binary"), "tester", "I am sure")
    drive(bench, worker, pieces(600, 1_400))
    assert states(bench)[-1] == "rolled_back"
    assert Versions(bench.store).one("v2").state == "rolled_back"
    assert Versions(bench.store).serving == "v1"
    changes = bench.store.runs.changes()
    assert served_before(changes, "v1") == "v2"
    assert pipeline_of(changes, "v1") == PIPELINE


class _Wrong(linear_model.LogisticRegression):
    """Says the opposite of what is true."""

    def predict_proba_one(self, x):
        wrong = 0.9 if x["a"] < 0 else 0.1
        return {True: wrong, False: 1 - wrong}


def test_people_who_go_to_and_fro_within_one_checkpoint_do_no_harm(store_url):
    bench, worker = promoted(store_url)
    keys = [bench.store.runs.ask("rollback", {"reason": "hm"}, "ops", 0.0) for _ in range(3)]
    drive(bench, worker, [rows(3_000, 3_020)])
    said = [bench.store.runs.answer(key) for key in keys]
    assert said == ["v1 serves", "v2 serves", "v1 serves"]
    assert worker.line.version == "v1"


def test_a_worker_that_was_replaced_carries_nothing_out(store_url):
    bench, old = promoted(store_url)
    new = bench.worker()
    key = bench.store.runs.ask("rollback", {"reason": "a test"}, "ops", 0.0)
    old._clock.time += 10
    with pytest.raises(FencedError):
        old.run(lambda: False, until_caught_up=True)
    assert bench.store.runs.answer(key) is None
    assert Versions(bench.store).serving == "v2"
    drive(bench, new, [rows(3_000, 3_020)])
    assert bench.store.runs.answer(key) == "v1 serves"
