"""After an upgrade: what an older riverrun wrote is shown, until the worker writes its own."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serve.cli.app import app
from tests.serve.watched import watched_world
from tests.stream import old_stores

OLDER = sorted(Path(old_stores.__file__).parent.glob("status-*.json"))


@pytest.fixture(params=OLDER, ids=[path.stem for path in OLDER])
def upgraded(request, tmp_path):
    """A watched stream whose newest checkpoint has the status and format of an older riverrun."""
    world = watched_world(tmp_path, retrain={"enabled": False})
    status = json.loads(request.param.read_text()) | {"stream": "flights"}
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute("UPDATE checkpoints SET format = 2, status = ?", (json.dumps(status),))
    db.close()
    yield world
    world.close()


def test_every_page_of_the_api_is_served(upgraded):
    with upgraded.api() as client:
        paths = client.get("/openapi.json").json()["paths"]
        asked = [
            path.replace("{stream}", "flights")
            for path, verbs in paths.items()
            if "get" in verbs and path.replace("{stream}", "").count("{") == 0
        ]
        assert len(asked) > 20
        answers = {path: client.get(path).status_code for path in asked if "live" not in path}
        model = "/v2/models/flights"
        assert {path for path, code in answers.items() if code >= 500} == {
            "/readyz", "/v2/health/ready", model, f"{model}/ready",
        }  # fmt: skip
        assert client.get("/v1/streams/flights").json()["status"]["since_promotion"] == {
            "version": "v1", "time": None, "scored": 0, "scores": {},
        }  # fmt: skip


def test_the_commands_that_look_show_it(upgraded, tmp_path, monkeypatch):
    path = tmp_path / "riverrun.toml"
    stream, event = upgraded.config.stream, upgraded.config.event
    path.write_text(
        f'[stream]\nname = "flights"\nbroker = "{stream.broker}"\nstore = "{stream.store}"\n'
        f'[event]\nid = "{event.id}"\nlabel = "{event.label}"\n'
        f'[model]\ntask = "binary"\npipeline = "{upgraded.config.model.pipeline}"\n'
    )
    monkeypatch.chdir(tmp_path)
    invoke = CliRunner().invoke
    status = invoke(app, ["status"], catch_exceptions=False)
    assert (status.exit_code, "scores of " in status.stdout) == (0, True)
    doctor = invoke(app, ["doctor", "--json"], catch_exceptions=False).stdout
    assert "checkpoint has format 2" in doctor
    assert "does not load" not in doctor
    report = invoke(app, ["report", "--out", "report.html"], catch_exceptions=False)
    assert (report.exit_code, Path("report.html").exists()) == (0, True), report.output
