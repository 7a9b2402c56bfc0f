"""``riverrun retrain`` and ``riverrun models`` over a real worker, real trainings, a SQLite log."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from serve import load_model
from stream.errors import InputError
from tests.cli.conftest import ROOT
from tests.processes.forked import COMMAND, ForkedRiverrun, run_riverrun

CONFIG = """\
[stream]
name = "s"

[event]
id = "id"
time = "t"
label = "y"

[model]
task = "binary"
pipeline = '''(compose.Select("a", "b") | preprocessing.StandardScaler() |
  linear_model.LogisticRegression(optimizer=optim.SGD(0.001)))'''

[monitor]
warmup_events = 600
pane_events = 50
spans = [1, 4]
reference_losses = 100

[retrain]
drift = false
skew = false
performance = false
window = 1000
min_events = 500
min_labels = 100
max_labels = 3000
probation = 100000

[canvas]
value_proposition = "Tell which orders come back | before they leave."
"""
SECRET = {"RIVERRUN_SECRET": "a secret of the test"}


def rows(start: int, stop: int, turned: bool = False) -> str:
    lines = []
    for number in range(start, stop):
        rng = random.Random(number)
        a, b = rng.gauss(0, 1), rng.gauss(0, 1)
        row = {"id": f"e{number}", "t": 1_735_689_600_000 + number * 60_000, "a": a, "b": b}
        row |= {"c": rng.choice("xyz"), "y": (a + 0.3 * b > 0) != turned}
        lines.append(json.dumps(row) + "\n")
    return "".join(lines)


class Stream:
    """A stream in a folder, with its commands."""

    def __init__(self, folder: Path, secret: dict[str, str] | None = None) -> None:
        self.folder = folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RIVERRUN_")}
        paths = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
        self.environment = kept | paths | (SECRET if secret is None else secret)

    def run(self, *arguments: object, **environment: str) -> tuple[int, str, str]:
        done = run_riverrun(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment | environment,
            text=True,
            timeout=100,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments: object) -> dict:
        code, out, err = self.run(*arguments, "--json")
        assert code in (0, 1), err
        return json.loads(out)

    def command(self, *arguments: object) -> list[str]:
        return [*COMMAND, *map(str, arguments)]

    def produce(self, text: str) -> None:
        (self.folder / "more.jsonl").write_text(text)
        code, _, err = self.run("produce", "more.jsonl")
        assert code == 0, err

    @contextmanager
    def worker(self):
        process = ForkedRiverrun(
            self.command("worker", "--log-level", "error"), cwd=self.folder, env=self.environment
        )
        try:
            yield process
        finally:
            process.terminate()
            assert process.wait(30) == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Stream:
    """A stream whose second version was trained, promoted, and serves in its probation."""
    stream = Stream(tmp_path_factory.mktemp("stream"))
    (stream.folder / "riverrun.toml").write_text(CONFIG)
    stream.produce(rows(0, 1_500))
    assert stream.run("worker", "--until-caught-up")[0] == 0
    text = CONFIG.replace("SGD(0.001)", "SGD(0.05)").replace(
        "[retrain]", "[retrain]\nchange = true"
    )
    (stream.folder / "riverrun.toml").write_text(text)
    stream.produce(rows(1_500, 3_000, turned=True))
    with stream.worker():
        deadline = time.monotonic() + 60
        at = 3_000
        while stream.json("models", "list")["serving"] != "v2":
            assert time.monotonic() < deadline, stream.run("models", "list")
            stream.produce(rows(at, at + 300, turned=True))
            at += 300
            time.sleep(0.3)
    return stream


@pytest.fixture
def stream(made, tmp_path) -> Stream:
    """A copy of it that a test may change."""
    shutil.copytree(made.folder, tmp_path / "copy")
    return Stream(tmp_path / "copy")


def test_the_list_tells_what_each_version_is(made):
    code, out, _ = made.run("models", "list")
    assert code == 0
    assert "v2" in out
    assert "probation" in out
    assert "the configured pipeline is another one" in out
    found = made.json("models", "list")
    assert [one["state"] for one in found["versions"]] == ["probation", "kept"]
    assert found["versions"][0]["gate"]["verdict"] == "better"


def test_show_answers_why_a_version_serves_and_on_what_it_was_trained(made):
    code, out, _ = made.run("models", "show", "v2")
    assert code == 0
    for text in (
        "Run 1 made it, begun by the trigger 'change'",
        "SGD(0.05)",
        "offsets of s.events-0",
        "the last 1,0",
        "champion loss",
        "v2 is better than v1 on",
        "river 0.",
    ):
        assert text in out, text
    found = made.json("models", "show", "v2")
    assert found["seed"] == 42
    assert found["trained_on"]["range"]["to"]["s.events-0"] >= 1_500
    assert [h["state"] for h in found["history"]] == ["training", "shadow", "promoted", "probation"]
    assert "first of the stream" in made.run("models", "show", "v1")[1]


def test_a_version_that_never_was_is_a_persons_mistake(made):
    for command in (
        ("show", "v9"),
        ("diff", "v1", "v9"),
        ("reproduce", "v9"),
        ("export", "v9", "x.zip"),
        ("promote", "v9", "--reason", "x", "--timeout", "1s"),
    ):
        code, _, err = made.run("models", *command)
        assert code == 2, command
        assert "there is no version 'v9'; there are: v1, v2" in err


def test_diff_shows_parameters_and_data(made):
    code, out, _ = made.run("models", "diff", "v1", "v2")
    assert code == 0
    assert "LogisticRegression.optimizer.lr.learning rate" in out
    found = made.json("models", "diff", "v1", "v2")
    assert found["parameters"] == {
        "LogisticRegression.optimizer.lr.learning_rate": [0.001, 0.05],
    }
    columns = {column["name"]: column["found"] for column in found["columns"]}
    assert columns["a"] == columns["c"] == "alike", found["columns"]
    assert columns["b"] == "alike"
    assert set(columns) == {"a", "b", "c", "label", "prediction"}


def test_a_version_is_reproduced_from_the_log(made):
    code, out, err = made.run("models", "reproduce", "v2")
    assert code == 0, out + err
    assert "it predicts the same" in out
    found = made.json("models", "reproduce", "v2")
    assert found["equal"] is True
    assert found["largest_difference"] == 0.0
    assert found["learned_in_shadow"] == found["recipe"]["learned_in_shadow"] >= 100
    code, _, err = made.run("models", "reproduce", "v1")
    assert code == 2
    assert "no training of its own" in err


def test_without_a_worker_the_request_stands_and_the_next_one_carries_it_out(stream):
    code, _, err = stream.run("models", "rollback", "--reason", "a test", "--timeout", "1s")
    assert code == 3
    assert "request 1 stands in the store, and no worker has answered it within 1s" in err
    code, _, err = stream.run("retrain", "--reason", "also", "--no-wait")
    assert code == 0
    assert "request 2 stands" in err
    with stream.worker():
        code, _, err = stream.run("retrain", "--reason", "now", "--cancel")
    assert code == 0, err
    found = stream.json("models", "list")
    assert found["serving"] == "v1"
    assert found["versions"][0]["version"] == "v3"
    assert found["versions"][0]["state"] == "cancelled"


def test_a_retrain_is_watched_until_it_is_decided(stream):
    (stream.folder / "more2.jsonl").write_text(rows(20_000, 30_000, turned=True))
    with stream.worker():
        produced = subprocess.Popen(
            stream.command("produce", "more2.jsonl", "--rate", "600/s"),
            cwd=stream.folder,
            env=stream.environment,
            stderr=subprocess.DEVNULL,
        )
        try:
            code, out, err = stream.run("retrain", "--reason", "prices", "--wait", "--json")
        finally:
            produced.kill()
            produced.wait()
    assert code in (0, 1), err
    found = json.loads(out)
    assert found["outcome"] == "run 2 began"
    assert found["run"]["state"] in ("rejected", "promoted")
    assert (code == 0) == (found["run"]["state"] == "promoted")
    assert "A run began: prices." in err
    assert "1 trained and in the shadow." in err
    assert found["run"]["detail"]["labels"] >= 100


def test_a_refusal_is_told(stream):
    with stream.worker():
        code, _, err = stream.run("retrain", "--cancel", "--reason", "x")
        assert code == 2
        assert "no run is under way" in err
        code, _, err = stream.run("models", "promote", "v2", "--reason", "x")
        assert code == 0
        assert "v2 serves already" in err
    code, _, err = stream.run("models", "promote", "v1", "--reason", " ", "--timeout", "1s")
    assert code == 2
    assert "say why" in err
    code, _, err = stream.run("retrain", "--reason", "x", RIVERRUN_RETRAIN__ENABLED="false")
    assert code == 2
    assert "retrain.enabled is false" in err


def test_a_model_leaves_one_stream_and_serves_another(stream, made):
    code, _, err = made.run("models", "export", "v2", stream.folder / "v2.zip")
    assert code == 0, err
    assert "signed" not in err
    code, _, err = made.run("models", "export", "v2", stream.folder / "v2.zip")
    assert code == 2
    assert "--force" in err
    with stream.worker():
        code, _, err = stream.run("models", "import", "v2.zip", "--reason", "back again")
        assert code == 0, err
        assert "v3 was imported" in err
        code, _, err = stream.run("models", "promote", "v3", "--reason", "a test")
        assert (code, "v3 serves" in err) == (0, True)
    found = stream.json("models", "list")
    assert found["serving"] == "v3"
    assert found["versions"][0]["trigger"] == "import"
    assert "v2 of s, signed: True" in stream.run("models", "show", "v3")[1]
    code, _, err = stream.run("models", "reproduce", "v3")
    assert code == 2
    assert "was imported" in err


def test_a_file_answers_without_log_and_store(made, tmp_path):
    target = tmp_path / "v2.zip"
    assert made.run("models", "export", "v2", target)[0] == 0
    model = load_model(target, SECRET["RIVERRUN_SECRET"].encode())
    assert model.predict({"a": -3.0, "b": 0.0}) > 0.9
    assert model.card["canvas"]["value_proposition"].startswith("Tell which orders")
    assert model.card["canvas"]["decisions"] is None
    with pytest.raises(InputError, match="another RIVERRUN_SECRET"):
        load_model(target, b"wrong")
    with pytest.raises(InputError, match="unsigned"):
        load_model(target)
    code = (
        "import sys, serve\n"
        f"serve.load_model({str(target)!r}, unsigned=True)\n"
        "print('kafka' in sys.modules, 'fastapi' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=made.environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_an_unsigned_file_says_so_and_is_taken_only_when_asked_for(made, stream, tmp_path):
    bare = Stream(stream.folder, {})
    for path in stream.folder.glob("*.db*"):
        path.unlink()
    bare.produce(rows(0, 700))
    assert bare.run("worker", "--until-caught-up")[0] == 0
    code, _, err = bare.run("models", "export", "v1", "v1.zip")
    assert code == 0, err
    assert "It is not signed" in err
    code, _, err = bare.run("models", "import", "v1.zip", "--reason", "x", "--check")
    assert code == 2
    assert "nobody can tell who wrote it" in err
    code, _, err = bare.run("models", "import", "v1.zip", "--reason", "x", "--check", "--unsigned")
    assert code == 0
    assert "v1 of s fits s" in err
    assert "only its SHA-256 was" in err
    shutil.copy(bare.folder / "v1.zip", tmp_path)
    code, _, err = made.run("models", "import", tmp_path / "v1.zip", "--reason", "x", "--check")
    assert code == 2
    assert "not signed, and RIVERRUN_SECRET is set" in err


def test_nothing_to_show_says_so(tmp_path):
    stream = Stream(tmp_path)
    (tmp_path / "riverrun.toml").write_text(CONFIG)
    for command in (("models", "list"), ("retrain", "--reason", "x")):
        code, _, err = stream.run(*command)
        assert code == 1
        assert "no checkpoint" in err
