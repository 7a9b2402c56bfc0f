"""``riverrun score``: predictions ahead of time, kept to be looked up, and without any store."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import closing

import pytest

from serve import load_model
from stream.errors import InputError, RiverrunError
from stream.load_config import load_config
from stream.storage.store import Store

ROWS = 300


def rows(count: int, start: int = 0, labels: bool = True) -> list[dict]:
    rng = random.Random(start)
    made = []
    for number in range(start, start + count):
        x, color = round(rng.gauss(0, 1), 3), rng.choice(["red", "blue"])
        row = {"id": f"e{number}", "x": x, "color": color}
        made.append(row | ({"y": x > 0} if labels else {}))
    return made


def write_csv(path, some: list[dict]):
    lines = [",".join(map(str, row.values())).lower() for row in some]
    path.write_text("\n".join([",".join(some[0]), *lines]) + "\n")
    return path


@pytest.fixture
def learned(here, config, invoke):
    """A stream whose worker has learned from some rows."""
    write_csv(here / "learned.csv", rows(ROWS))
    assert invoke("produce", "learned.csv").exit_code == 0
    assert invoke("worker", "--until-caught-up").exit_code == 0
    return here


@pytest.fixture
def exported(learned, invoke):
    """Return a file of the model that serves, signed by nobody."""
    assert invoke("models", "export", "v1", "v1.zip").exit_code == 0
    return learned / "v1.zip"


def stored(folder, key):
    with closing(Store(f"sqlite:///{folder}/riverrun.db", "s")) as store:
        found = store.precomputed.find(key)
        return None if found is None else found.scored


def test_results_are_stored_and_agree_with_the_model_that_serves(learned, invoke):
    write_csv(learned / "next.csv", rows(50, 1_000))
    result = invoke("score", "next.csv", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["rows"], told["scored"], told["stored"], told["skipped"]) == (50, 50, 50, 0)
    assert (told["model_version"], told["learned_offset"]) == ("v1", ROWS)
    assert told["labelled"] == 50
    assert told["correct"] > 35
    assert 0 < told["loss"] < 0.25
    model = load_model(f"sqlite:///{learned}/riverrun.db", stream="s")
    for row in rows(50, 1_000):
        features = {"x": row["x"], "color": row["color"]}
        assert stored(learned, row["id"]).prediction == model.predict(features)


def test_nothing_is_learned_and_nothing_is_appended(learned, invoke):
    write_csv(learned / "next.csv", rows(20, 1_000))
    assert invoke("score", "next.csv").exit_code == 0
    status = json.loads(invoke("worker", "--until-caught-up", "--json").stdout)
    assert status["counts"]["events"] == ROWS


def test_scored_again_the_newest_counts(learned, invoke):
    write_csv(learned / "next.csv", rows(20, 1_000))
    for _ in range(2):
        assert invoke("score", "next.csv").exit_code == 0
    with closing(Store(f"sqlite:///{learned}/riverrun.db", "s")) as store:
        assert store.precomputed.count() == 20


def test_what_is_kept_is_bounded_and_what_was_forgotten_is_told(learned, invoke, monkeypatch):
    monkeypatch.setenv("RIVERRUN_PREDICTIONS__PRECOMPUTED", "15")
    write_csv(learned / "next.csv", rows(20, 1_000))
    told = json.loads(invoke("score", "next.csv", "--json").stdout)
    assert (told["stored"], told["forgotten"]) == (20, 5)
    assert stored(learned, "e1004") is None
    assert stored(learned, "e1005") is not None


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "parquet"])
def test_every_kind_of_file_is_read_alike(learned, invoke, kind):
    import gzip

    some, path = rows(30, 1_000, labels=False), learned / f"next.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in some))
    elif kind == "parquet":
        arrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(arrow.Table.from_pylist(some), path)
    else:
        plain = write_csv(learned / "plain.csv", some)
        path.write_bytes(
            gzip.compress(plain.read_bytes()) if kind == "csv.gz" else plain.read_bytes()
        )
    told = json.loads(invoke("score", path, "--out", "out.jsonl", "--force", "--json").stdout)
    assert (told["scored"], told["labelled"], told["loss"]) == (30, 0, None)
    model = load_model(f"sqlite:///{learned}/riverrun.db", stream="s")
    lines = [json.loads(line) for line in (learned / "out.jsonl").read_text().splitlines()]
    for row, line in zip(some, lines, strict=True):
        answer = model.answer({"x": row["x"], "color": row["color"]})
        assert (line["id"], line["prediction"]) == (row["id"], answer["prediction"])
        assert line["probabilities"] == answer["probabilities"]
        assert line["probability"] == max(answer["probabilities"].values())


def test_every_kind_of_result_says_the_same(learned, invoke):
    import csv

    parquet = pytest.importorskip("pyarrow.parquet")
    write_csv(learned / "next.csv", rows(25, 1_000))
    for kind in ("csv", "jsonl", "parquet"):
        assert invoke("score", "next.csv", "--no-store", "--out", f"out.{kind}").exit_code == 0
    lines = [json.loads(line) for line in (learned / "out.jsonl").read_text().splitlines()]
    table = parquet.read_table(learned / "out.parquet").to_pylist()
    with (learned / "out.csv").open() as file:
        cells = list(csv.DictReader(file))
    for line, row, cell in zip(lines, table, cells, strict=True):
        del line["probabilities"]
        assert row == line
        assert cell["id"] == line["id"]
        assert (cell["prediction"], cell["label"]) == (
            str(line["prediction"]).lower(),
            str(line["label"]).lower(),
        )
        assert float(cell["probability"]) == line["probability"]
    assert stored(learned, "e1000") is None


def test_a_batch_forecast_needs_neither_store_nor_broker(exported, invoke, tmp_path):
    """In an empty folder, with nothing but the model's file and the events."""
    elsewhere = exported.parent / "elsewhere"
    elsewhere.mkdir()
    write_csv(elsewhere / "next.csv", rows(40, 1_000))
    for name in ("log.db", "riverrun.db", "riverrun.toml"):
        (exported.parent / name).unlink(missing_ok=True)
    code = (
        "import sys\n"
        "from serve.cli.app import app\n"
        "try:\n"
        "    app(sys.argv[1:])\n"
        "finally:\n"
        "    assert not {'kafka', 'fastapi'} & set(sys.modules), sorted(sys.modules)\n"
    )
    arguments = ["score", "next.csv", "--model", str(exported), "--unsigned", "--out", "out.csv"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--json"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"RIVERRUN_EVENT__ID": "of_another_stream"},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["scored"], told["stored"], told["model_version"]) == (40, 0, "v1")
    assert sorted(path.name for path in elsewhere.iterdir()) == ["next.csv", "out.csv"]
    model = load_model(exported, unsigned=True)
    first = (elsewhere / "out.csv").read_text().splitlines()[1].split(",")
    row = rows(1, 1_000)[0]
    said = model.answer({"x": row["x"], "color": row["color"]})
    assert first[2] == str(said["prediction"]).lower()


def test_a_file_that_is_not_signed_is_not_loaded(exported, invoke):
    write_csv(exported.parent / "next.csv", rows(5))
    result = invoke("score", "next.csv", "--model", exported, "--out", "out.csv")
    assert result.exit_code == 2
    assert "--unsigned" in result.stderr or "signed" in result.stderr
    assert not (exported.parent / "out.csv").exists()


def test_a_bad_row_stops_it_with_its_line_and_leaves_no_half_file(learned, invoke):
    path = write_csv(learned / "next.csv", rows(5, 1_000))
    path.write_text(path.read_text() + "e2000,much,red,true\n" + "e2001,1.0,red,true\n")
    result = invoke("score", "next.csv", "--out", "out.csv")
    assert result.exit_code == 2
    assert "line 7" in result.stderr
    assert "'much'" in result.stderr
    assert "--skip-bad" in result.stderr
    assert [path for path in learned.iterdir() if "out" in path.name] == []
    told = json.loads(invoke("score", "next.csv", "--skip-bad", "--json").stdout)
    assert (told["rows"], told["scored"], told["skipped"]) == (7, 6, 1)
    assert "line 7" in told["first_skipped"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.csv"], "no such file"),
        (["next.csv", "--out", "out.xls"], ".csv"),
        (["next.csv", "--out", "next.csv"], "--force"),
        (["next.csv", "--out", "no/folder/out.csv"], "out.csv"),
        (["next.csv", "--no-store"], "--out"),
        (["next.csv", "--unsigned"], "--model"),
        (["next.csv", "--model", "next.csv"], "--out"),
        (["next.csv", "--model", "next.csv", "--out", "o.csv"], "next.csv"),
        (["next.csv", "--model", "m.zip", "--version", "v1", "--out", "o.csv"], "--version"),
        (["next.csv", "--version", "v9"], "there is no version 'v9'"),
        (["next.csv", "--out", "-", "--json"], "choose one"),
        (["empty.csv"], "no rows"),
        (["other.csv"], "'id' (event.id)"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(learned, invoke, arguments, said):
    write_csv(learned / "next.csv", rows(5))
    (learned / "empty.csv").write_text("id,x,color\n")
    (learned / "other.csv").write_text("key,x,color\n1,2,red\n")
    result = invoke("score", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_checkpoint_it_says_what_to_do(config, here, invoke):
    write_csv(here / "next.csv", rows(5))
    result = invoke("score", "next.csv")
    assert result.exit_code != 0
    assert "riverrun worker" in result.stderr
    assert not (here / "riverrun.db").exists()


def test_standard_output_holds_the_results_alone(learned, invoke):
    write_csv(learned / "next.csv", rows(3, 1_000))
    result = invoke("score", "next.csv", "--no-store", "--out", "-")
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [
        "e1000", "e1001", "e1002",
    ]  # fmt: skip
    assert "scored 3 events" in result.stderr


def test_a_stream_without_ids_is_scored_to_a_file_only(learned, invoke):
    path = learned / "riverrun.toml"
    path.write_text(path.read_text().replace('id = "id"\n', ""))
    write_csv(learned / "next.csv", rows(3, 1_000))
    assert "event.id is not configured" in invoke("score", "next.csv").stderr
    assert invoke("score", "next.csv", "--no-store", "--out", "o.jsonl").exit_code == 0
    assert json.loads((learned / "o.jsonl").read_text().splitlines()[0])["id"] == "2"


def test_a_model_comes_out_of_a_store_as_it_serves(learned):
    settings = load_config(learned / "riverrun.toml")
    model = load_model(settings.stream.store, stream="s")
    assert (model.version, model.learned_offset) == ("v1", ROWS)
    assert load_model(settings.stream.store, stream="s", version="v1").version == "v1"
    assert model.answer({"x": 3.0, "color": "red"})["prediction"] is True
    for wrong in ({"stream": "t"}, {"stream": "s", "version": "v9"}, {}):
        with pytest.raises(InputError):
            load_model(settings.stream.store, **wrong)
    with pytest.raises(InputError, match="does not exist"):
        load_model("sqlite:///none.db", stream="s")
    with pytest.raises(RiverrunError):
        load_model(settings.stream.store, b"another secret", stream="s")
    with pytest.raises(InputError, match="a file holds one model"):
        load_model("v1.zip", stream="s")


def test_loading_a_model_imports_no_kafka_client_and_no_server(learned):
    code = (
        "import sys, serve\n"
        "assert 'stream' not in sys.modules\n"
        f"model = serve.load_model('sqlite:///{learned}/riverrun.db', stream='s')\n"
        "print(model.predict({'x': 1.0, 'color': 'red'}))\n"
        "assert not {'kafka', 'fastapi', 'uvicorn'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < 1
