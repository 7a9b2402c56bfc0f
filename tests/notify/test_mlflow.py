"""Runs and versions on a real MLflow server follow those of the store.

They need the extra ``mlflow`` and a whole MLflow for the server, which is too large to install for
every run of the tests: ``pip install '.[mlflow]' mlflow``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from serve.notify.courier import Courier
from serve.notify.mlflow_mirror import _ENVIRONMENT, MlflowMirror, mirrored
from stream.errors import ConfigError
from stream.lifecycle.run import KeptModel
from tests.lines import make_config
from tests.notify.mlflow_server import LocalMlflow
from tests.notify.scene import Writer, change
from tests.notify.test_courier import StillClock

EVIDENCE = {"request": {"evidence": {"pane": 7}, "reason": "drift in pane 7", "by": ""}}
BEGAN = {"trigger": "drift", "goal": "better", "pipelines": {"configured": "X() | Y()"}} | EVIDENCE
WON = {"labels": 600, "champion_loss": 0.3, "challenger_loss": 0.2, "verdict": "better"}


def take(store, name="mlflow"):
    store.outbox.take(name, mirrored("s"))
    return [one.message.key for one in store.outbox.waiting(name, 100)]


def test_what_happened_becomes_what_the_mirror_is_to_do(store):
    writer = Writer(store)
    store.outbox.begin("mlflow")
    writer.commit(1.0)
    assert take(store) == ["s/serving/v1/1"]
    writer.commit(2.0, changes=(change(1, "training"), change(1, "shadow")))
    writer.commit(3.0, changes=(change(1, "promoted"), change(1, "probation")), version="v2")
    assert take(store)[1:] == [
        "s/run/1/training",
        "s/run/1/shadow",
        "s/run/1/promoted",
        "s/run/1/probation",
        "s/serving/v2/3",
    ]


def test_what_belongs_to_no_run_is_mirrored_only_when_it_serves(store):
    writer = Writer(store)
    store.outbox.begin("mlflow")
    writer.commit(1.0, changes=(change(0, "imported"),))
    assert take(store) == ["s/serving/v1/1"]


def test_without_the_extra_it_says_what_to_install(store, monkeypatch):
    monkeypatch.setattr("serve.notify.mlflow_mirror.find_spec", lambda name: None)
    config = make_config(mlflow={"tracking_uri": "http://127.0.0.1:9"})
    with pytest.raises(ConfigError, match=r"riverrun\[mlflow\]"):
        MlflowMirror(config, store)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    pytest.importorskip("mlflow.server.handlers", reason="only mlflow-skinny is installed")
    server = LocalMlflow(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.stop()


class Bench:
    """A store and its mirror under a name of its own."""

    def __init__(self, store, server, name):
        config = make_config(
            mlflow={"tracking_uri": server.url, "experiment": name, "registered_model": name}
        )
        self.store, self.name, self.writer = store, name, Writer(store)
        self.clock = StillClock()
        self.clock.time = time.time()
        self.mirror = MlflowMirror(config, store)
        self.courier = Courier(
            store.outbox, self.mirror, self.clock, max_age_seconds=1e6, queue=100
        )
        store.outbox.begin("mlflow")

    def commit(self, *changes, **options):
        self.clock.time += 1.0
        self.writer.commit(self.clock.time, changes=changes, **options)

    @property
    def delivery(self):
        return self.store.outbox.deliveries()["mlflow"]

    def alias(self, name):
        found = self.mirror._client.get_registered_model(self.name).aliases
        number = found.get(name)
        if number is None:
            return None
        return self.mirror._client.get_model_version(self.name, number)

    def version_of(self, name):
        found = self.alias(name)
        return None if found is None else found.tags["riverrun.version"]


@pytest.fixture
def bench(store, server, request):
    return Bench(store, server, request.node.name)


def promote(bench):
    kept = KeptModel("v1", "left", b"old"), KeptModel("v2", "promoted", b"new")
    won = change(1, "promoted", "v2 is better than v1 on 600 events.", **WON)
    bench.commit(won, change(1, "probation"), version="v2", models=kept)


def test_a_promotion_with_its_metrics_evidence_card_and_pickle(bench, tmp_path):
    bench.commit()
    bench.courier.turn()
    assert (bench.version_of("champion"), bench.version_of("challenger")) == ("v1", None)
    bench.commit(change(1, "training", "A run began: drift.", **BEGAN), change(1, "shadow"))
    bench.courier.turn()
    assert (bench.version_of("champion"), bench.version_of("challenger")) == ("v1", "v2")
    promote(bench)
    bench.courier.turn()
    assert bench.delivery.waiting == 0, bench.delivery
    assert (bench.version_of("champion"), bench.version_of("challenger")) == ("v2", None)
    client, found = bench.mirror._client, bench.alias("champion")
    assert "v2 is better than v1 on 600 events." in found.description
    run = client.get_run(found.run_id)
    assert run.data.params == {
        "trigger": "drift",
        "goal": "better",
        "pipeline.configured": "X() | Y()",
    }
    assert run.data.metrics["promoted.challenger_loss"] == 0.2
    assert run.data.tags["riverrun.evidence"] == '{"pane":7}'
    assert run.data.tags["riverrun.why"] == "drift in pane 7"
    assert run.info.status == "RUNNING"
    path = Path(client.download_artifacts(found.run_id, "model", str(tmp_path)))
    assert sorted(one.name for one in path.iterdir()) == ["card.md", "model.pkl", "run.json"]
    assert (path / "model.pkl").read_bytes() == b"new"
    bench.commit(change(1, "kept"), version="v2")
    bench.courier.turn()
    assert client.get_run(found.run_id).info.status == "FINISHED"
    assert bench.version_of("champion") == "v2"


def test_a_roll_back_gives_the_alias_back(bench):
    bench.commit()
    bench.commit(change(1, "training", **BEGAN), change(1, "shadow"))
    promote(bench)
    bench.courier.turn()
    assert bench.version_of("champion") == "v2"
    bench.commit(change(1, "rolled_back", "v1 is back."))
    bench.courier.turn()
    assert bench.delivery.waiting == 0, bench.delivery
    assert bench.version_of("champion") == "v1"
    versions = bench.mirror._client.search_model_versions(f"name = '{bench.name}'")
    assert sorted(one.tags["riverrun.version"] for one in versions) == ["v1", "v2"]


@pytest.mark.parametrize(("state", "status"), [("rejected", "FINISHED"), ("failed", "FAILED")])
def test_a_challenger_that_fails_loses_its_alias(bench, state, status):
    bench.commit()
    bench.commit(change(1, "training", **BEGAN), change(1, "shadow"))
    bench.courier.turn()
    challenger = bench.alias("challenger")
    bench.commit(change(1, state, "It is worse."))
    bench.courier.turn()
    assert (bench.version_of("champion"), bench.version_of("challenger")) == ("v1", None)
    assert bench.mirror._client.get_run(challenger.run_id).info.status == status


def test_a_message_that_comes_twice_changes_nothing(bench):
    bench.commit()
    bench.commit(change(1, "training", **BEGAN), change(1, "shadow"))
    promote(bench)
    bench.store.outbox.take("mlflow", bench.mirror.choose)
    waiting = bench.store.outbox.waiting("mlflow", 100)
    for one in waiting:
        for _ in range(2):
            bench.mirror.send(one.message.data)
    client = bench.mirror._client
    assert len(client.search_model_versions(f"name = '{bench.name}'")) == 1
    place = client.get_experiment_by_name(bench.name).experiment_id
    assert len(client.search_runs([place])) == 1
    assert bench.version_of("champion") == "v2"


def test_a_server_that_is_down_is_told_when_it_is_up(store, tmp_path, server):
    """``server`` only for its being there; this one is started late."""
    late = LocalMlflow(tmp_path)
    bench = Bench(store, late, "late")
    bench.commit()
    bench.commit(change(1, "training", **BEGAN), change(1, "shadow"))
    promote(bench)
    began = time.monotonic()
    assert bench.courier.turn() > 0
    assert time.monotonic() - began < 15.0
    assert (bench.delivery.failed, bench.delivery.sent) == (1, 0)
    assert "MLflow" in bench.delivery.last_error
    late.start()
    try:
        bench.courier.turn()
        assert bench.delivery.waiting == 0, bench.delivery
        assert bench.version_of("champion") == "v2"
    finally:
        late.stop()


def test_the_client_tells_nobody_else(server, bench):
    assert bench.mirror._client is not None
    for name in _ENVIRONMENT:
        assert os.environ[name]
    from mlflow.environment_variables import MLFLOW_DISABLE_TELEMETRY

    assert MLFLOW_DISABLE_TELEMETRY.get() is True
