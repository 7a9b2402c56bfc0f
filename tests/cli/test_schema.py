"""``riverrun schema``: inferred from a sample, and files checked against it."""

import json
import random
import tomllib

import pytest

from monitor.schema_text import schema_from_toml


@pytest.fixture
def sample(here):
    """Events with an id, a time, numbers, categories, a flag and gaps."""
    rng = random.Random(1)
    lines = ["id,placed,amount,items,country,gift,note"]
    for number in range(3000):
        note = "" if number % 10 else rng.choice(["NA", "x"])
        lines.append(
            f"e{number},2025-01-01T{number % 24:02d}:00:00,{rng.uniform(1, 9):.2f},"
            f"{rng.randint(1, 5)},{rng.choice(['NL', 'DE'])},{rng.choice(['true', 'false'])},{note}"
        )
    path = here / "sample.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def check(invoke, name):
    result = invoke("schema", "check", name, "--json")
    data = json.loads(result.stdout)
    return result.exit_code, data, {(a["kind"], a["feature"]): a for a in data["anomalies"]}


def test_a_sample_is_clean_by_its_own_schema(sample, invoke):
    inferred = invoke("schema", "infer", sample, "--output", "schema.toml")
    assert inferred.exit_code == 0
    assert "id is ignored: it differs in nearly every row" in inferred.stderr
    schema = schema_from_toml((sample.parent / "schema.toml").read_text())
    types = {feature.name: feature.type for feature in schema.features}
    assert types == {
        "amount": "float", "items": "int", "country": "string", "gift": "bool", "note": "string",
    }  # fmt: skip
    assert schema.ignored == ("id", "placed")
    assert schema.by_name["country"].domain == ("DE", "NL")
    code, data, found = check(invoke, "sample.csv")
    assert (code, found, data["verdict"], data["events"]) == (0, {}, "clean", 3000)
    assert "as the schema says" in invoke("schema", "check", "sample.csv").stdout


def test_without_output_it_goes_to_stdout_and_is_toml(sample, invoke):
    result = invoke("schema", "infer", sample, "--ignore", "note")
    assert tomllib.loads(result.stdout)["ignored"] == ["id", "placed", "note"]


def test_a_file_is_replaced_only_by_force(sample, here, invoke):
    (here / "s.toml").write_text("mine")
    refused = invoke("schema", "infer", sample, "--output", "s.toml")
    assert refused.exit_code == 2
    assert (here / "s.toml").read_text() == "mine"
    assert invoke("schema", "infer", sample, "--output", "s.toml", "--force").exit_code == 0
    assert invoke("schema", "infer", sample, "-o", "no/such/s.toml").exit_code == 2
    assert invoke("schema", "infer", sample, "--ignore", "zz").exit_code == 2


def test_every_kind_of_anomaly_is_counted_with_places_and_an_example(sample, here, invoke):
    invoke("schema", "infer", sample, "--output", "schema.toml")
    lines = sample.read_text().splitlines()
    for at, line in enumerate(lines[1:], 1):
        cells = line.split(",")
        if at in (7, 20):
            cells[2] = "much"
        if at == 30:
            cells[2] = "inf"
        if at == 31:
            cells[3] = ""
        if at == 40:
            cells[2] = "1000"
        if at > 2000:
            cells[4] = "UK"
        if at > 1000:
            cells[6] = ""
        lines[at] = ",".join([*cells, "new"])
    lines[0] += ",extra"
    (here / "bad.csv").write_text("\n".join(lines) + "\n")
    code, data, found = check(invoke, "bad.csv")
    assert code == 1
    wrong = found["wrong_type", "amount"]
    assert (wrong["count"], wrong["first"], wrong["last"]) == (2, 8, 21)
    assert (wrong["found"], wrong["expected"]) == ("'much'", "float")
    assert wrong["tfdv"] == ["UNEXPECTED_DATA_TYPE"]
    assert found["not_finite", "amount"]["first"] == 31
    assert found["missing_feature", "items"]["severity"] == "error"
    assert found["out_of_range", "amount"]["severity"] == "warning"
    assert found["unexpected_feature", "extra"]["count"] == 3000
    domain = [a for a in data["anomalies"] if a["kind"] == "out_of_domain"]
    assert {(a["scope"], a["severity"], a["count"]) for a in domain} == {
        ("events", "warning", 1000), ("panes", "error", 1),
    }  # fmt: skip
    assert data["events_in_error"] == 4
    shown = invoke("schema", "check", "bad.csv")
    assert shown.exit_code == 1
    assert "4 of 3,000 events in error" in shown.stdout
    assert "✗ error" in shown.stdout
    assert "! warning" in shown.stdout
    assert "UNEXPECTED_DATA_TYPE" in shown.stdout


def test_json_lines_are_checked_as_the_worker_checks_events(here, invoke):
    (here / "schema.toml").write_text(
        '[features.n]\ntype = "int"\n[features.c]\ntype = "string"\nrequired = false\n'
    )
    events = [{"n": 1}, {"n": 1.5}, {"n": "1"}, {"c": "x"}, {"n": 2, "<b>": None}, {"n": True}]
    (here / "a.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    code, data, found = check(invoke, "a.jsonl")
    assert code == 1
    assert found["wrong_type", "n"]["count"] == 3
    assert found["missing_feature", "n"]["first"] == 4
    assert found["unexpected_feature", "<b>"]["first"] == 5
    assert data["events_in_error"] == 4


def test_csv_cells_are_read_as_declared(here, invoke):
    (here / "schema.toml").write_text(
        '[features.n]\ntype = "int"\n[features.b]\ntype = "bool"\n'
        '[features.c]\ntype = "string"\ndomain = ["NA", "1"]\n'
    )
    (here / "a.csv").write_text("n,b,c\n3.0,1,NA\n4,no,1\n")
    assert invoke("schema", "check", "a.csv").exit_code == 0


def test_columns_that_are_gone_are_missing_in_each_event(sample, here, invoke):
    invoke("schema", "infer", sample, "--output", "schema.toml")
    (here / "a.csv").write_text("q\n" + "1\n" * 10)
    code, data, found = check(invoke, "a.csv")
    assert code == 1
    assert found["missing_feature", "amount"]["count"] == 10
    assert data["events_in_error"] == 10


def test_empty_all_null_and_hostile_columns(here, invoke):
    names = ["[red]", "<img src=x onerror=alert(1)>", "\x1b[31m", 'q"uote', "a\nb"]
    rows = [dict.fromkeys(names, value) | {"none": None} for value in range(200)]
    (here / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = invoke("schema", "infer", "a.jsonl", "--output", "schema.toml")
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert check(invoke, "a.jsonl")[0] == 0
    (here / "schema.toml").write_text("")
    shown = invoke("schema", "check", "a.jsonl")
    assert shown.exit_code == 0
    assert "[red]" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_unknown_names_without_end_are_counted_together(here, invoke):
    (here / "schema.toml").write_text("")
    (here / "a.jsonl").write_text("".join(f'{{"k{n}": 1}}\n' for n in range(3000)))
    code, _, found = check(invoke, "a.jsonl")
    assert code == 0
    assert len(found) <= 1001
    assert sum(each["count"] for each in found.values()) == 3000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "a.csv"], "schema.toml: no such file"),
        (["check", "a.csv", "--schema", "bad.toml"], "bad.toml: schema: not TOML"),
        (["check", "a.csv", "--schema", "kind.toml"], "unknown key"),
        (["check", "no.csv", "--schema", "good.toml"], "no.csv: no such file"),
        (["check", "head.csv", "--schema", "good.toml"], "only the line of column names"),
        (["check", "torn.csv", "--schema", "good.toml"], "line 3"),
        (["check", "a.csv", "--schema", "."], "schema.toml"),
        (["infer", "head.csv"], "only the line of column names"),
        (["infer", "no.csv"], "no such file"),
    ],
)
def test_what_cannot_be_used_leaves_with_2_and_a_sentence(here, invoke, arguments, message):
    (here / "a.csv").write_text("a\n1\n")
    (here / "head.csv").write_text("a\n")
    (here / "torn.csv").write_text("a,b\n1,2\n1\n")
    (here / "bad.toml").write_text("[[[")
    (here / "kind.toml").write_text("[featurs]\n")
    (here / "good.toml").write_text('[features.a]\ntype = "int"\n')
    result = invoke("schema", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
