"""The schema's way round: inferred, written, edited, picked up by a running worker."""

import json

import pytest

from monitor.schema_text import schema_from_toml
from tests.cli.watched import rows, write_stream

FILE = 'schema_file = "schema.toml"\n'


@pytest.fixture
def status(invoke):
    def read():
        result = invoke("status", "--json")
        return json.loads(result.stdout) if result.exit_code == 0 else None

    return read


def edit(path, before, after):
    text = path.read_text()
    assert text.count(before) == 1, text
    fresh = path.with_suffix(".new")
    fresh.write_text(text.replace(before, after))
    fresh.replace(path)


def test_a_halt_ends_when_the_schema_is_edited_while_the_worker_runs(
    here, invoke, spawn, wait_for, status
):
    write_stream(here)
    assert invoke("schema", "show").exit_code == 1
    invoke("produce", "-", stdin=rows(0, 1_050))
    invoke("worker", "--until-caught-up")
    shown = invoke("schema", "show", "--output", "schema.toml")
    assert shown.exit_code == 0
    assert "was inferred from the first 1,000 events" in shown.stderr
    assert 'schema_file = "schema.toml"' in shown.stderr
    write_stream(here, FILE)

    worker = spawn("worker")
    invoke("produce", "-", stdin=rows(1_050, 1_200, c=5))
    wait_for(lambda: status()["counts"]["events"] == 1_200)
    halted = status()
    assert halted["monitor"]["state"] == "HALTED"
    assert halted["monitor"]["schema"]["inferred"] is False
    assert halted["dead_letter_reasons"] == {"schema/wrong_type": 150}
    learned = halted["counts"]["learned"]
    assert "LEARNING PAUSES" in invoke("status").stdout

    text = (here / "schema.toml").read_text()
    start = text.index('[features."c"]')
    (here / "schema.toml").write_text(text[:start] + "[features.c]\ntype = 7\n")
    for line in worker.stderr:
        if json.loads(line)["event"] == "schema_file":
            assert "type: 7 is of the wrong type" in json.loads(line)["message"]
            break
    assert status()["monitor"]["state"] == "HALTED"
    edit(here / "schema.toml", "type = 7", 'type = "any"')
    wait_for(lambda: status()["monitor"]["state"] != "HALTED")
    invoke("produce", "-", stdin=rows(1_200, 1_400, c=5))
    wait_for(lambda: status()["counts"]["events"] == 1_400)
    assert status()["counts"]["learned"] == learned + 200
    assert status()["dead_letter_reasons"] == {"schema/wrong_type": 150}

    again = invoke("schema", "show")
    assert "was given: schema.toml" in again.stderr
    assert schema_from_toml(again.stdout).by_name["c"].type == "any"
    data = json.loads(invoke("schema", "show", "--json").stdout)
    assert (data["inferred"], data["schema"]["features"]["c"]["type"]) == (False, "any")
    worker.terminate()
    _, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err
    lines = [json.loads(line) for line in err.splitlines()]
    (corrected,) = [line for line in lines if line["event"] == "schema"]
    assert corrected["wants"] == ["resume"]


def test_a_schema_inferred_beside_the_configuration_fits_the_worker(here, invoke, status):
    config = write_stream(here)
    (here / "sample.jsonl").write_text(rows(0, 2_000))
    result = invoke("schema", "infer", "sample.jsonl", "--output", "schema.toml")
    assert result.exit_code == 0, result.output
    for role, name in (("id", "id"), ("event time", "t"), ("label", "y")):
        assert f"{name} is ignored: it is the {role} in riverrun.toml" in result.stderr
    schema = schema_from_toml((here / "schema.toml").read_text())
    assert schema.names == ("a", "b", "c")
    assert set(schema.ignored) == {"id", "t", "y"}
    config.write_text(config.read_text() + FILE)
    invoke("produce", "-", stdin=rows(0, 1_500) + rows(1_500, 1_700, labels=False))
    assert invoke("worker", "--until-caught-up").exit_code == 0
    found = status()
    assert found["counts"]["predicted"] == 1_700
    assert found["monitor"]["totals"]["errors"] == 0
    assert set(found["monitor"]["totals"]["anomalies"]) <= {"out_of_range"}


def test_types_and_features_are_those_of_the_configuration(here, invoke):
    path = write_stream(here)
    text = path.read_text().replace('label = "y"\n', 'label = "y"\nfeatures = ["n", "zip"]\n')
    path.write_text(text.replace("[model]", '[event.types]\nn = "float"\nzip = "str"\n[model]'))
    lines = ["id,t,n,zip,note,y", *(f"e{i},{i},{i % 9},{1000 + i % 7},x,1" for i in range(500))]
    (here / "sample.csv").write_text("\n".join(lines) + "\n")
    result = invoke("schema", "infer", "sample.csv")
    schema = schema_from_toml(result.stdout)
    assert {f.name: f.type for f in schema.features} == {"n": "float", "zip": "string"}
    assert "note is ignored: it is no feature in riverrun.toml" in result.stderr


def test_a_configuration_of_other_columns_is_passed_over_unless_it_is_named(here, invoke):
    path = write_stream(here)
    (here / "sample.csv").write_text("q\n" + "".join(f"{i % 5}\n" for i in range(200)))
    result = invoke("schema", "infer", "sample.csv")
    assert result.exit_code == 0
    assert "riverrun.toml is of other columns: sample.csv has no 'id', so it was not" in (
        result.stderr
    )
    refused = invoke("schema", "infer", "sample.csv", "--config", path)
    assert refused.exit_code == 2
    assert "sample.csv has no 'id'" in refused.stderr
    path.write_text("[stream]\n")
    result = invoke("schema", "infer", "sample.csv")
    assert result.exit_code == 0
    assert "riverrun.toml cannot be read, and was not used" in result.stderr
    assert invoke("schema", "infer", "sample.csv", "--config", path).exit_code == 2


def test_show_says_why_there_is_none(here, invoke):
    write_stream(here)
    assert invoke("schema", "show").exit_code == 1
    invoke("produce", "-", stdin=rows(0, 50))
    invoke("worker", "--until-caught-up")
    result = invoke("schema", "show", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "50 of the 1,000 events of the warm-up" in result.stderr
    (here / "mine.toml").write_text("mine")
    assert invoke("schema", "show", "--output", "mine.toml").exit_code == 2
    assert invoke("schema", "show", "--output", "x.toml", "--json").exit_code == 2


def test_a_monitor_that_is_off_has_no_schema(here, invoke):
    write_stream(here, "enabled = false\n")
    invoke("produce", "-", stdin=rows(0, 50))
    invoke("worker", "--until-caught-up")
    result = invoke("schema", "show")
    assert result.exit_code == 2
    assert "monitor.enabled" in result.stderr
