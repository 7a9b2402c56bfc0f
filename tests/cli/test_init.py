"""``init``: what it writes works, on real data and on awkward files."""

import gzip
import json
import tomllib
from pathlib import Path

import pytest

from stream.load_config import load_config
from tests.shared_data import shared_data

ROOT = Path(__file__).resolve().parents[2]


def tables(here):
    return tomllib.loads((here / "riverrun.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "task", "metric", "at_least"),
    [
        ("elec2", "binary", "ROCAUC", 0.88),
        ("bike_sharing_hourly", "regression", "MAE", None),
        ("noaa_weather", "binary", "ROCAUC", 0.78),
    ],
)
def test_real_data_from_a_file_to_scores(here, invoke, riverrun, name, task, metric, at_least):
    sample = shared_data(f"{name}.csv.gz")
    assert invoke("init", sample).exit_code == 0
    assert tables(here)["model"]["task"] == task
    assert invoke("check").exit_code == 0
    sent = json.loads(invoke("produce", sample, "--json").stdout)["sent"]
    code, out, err = riverrun("worker", "--until-caught-up", "--json")
    assert code == 0, err
    status = json.loads(invoke("status", "--json").stdout)
    assert json.loads(out)["state_digest"] == status["state_digest"]
    assert status["counts"]["events"] == status["counts"]["learned"] == sent
    assert status["counts"]["dead_lettered"] == 0
    scores = status["scores"]
    if at_least is not None:
        assert scores["model"][metric] > at_least
    else:
        assert scores["model"][metric] < scores["mean"][metric]


def rows(count, make):
    return "".join(",".join(map(str, make(i))) + "\n" for i in range(count))


AWKWARD = {
    "missing values": "id,a,b,label\n"
    + rows(40, lambda i: (i, "" if i % 3 else i, "NA" if i % 5 else "k", i % 2)),
    "quotes": '"id","say ""a""","it\'s",class\n'
    + rows(40, lambda i: (f"k{i}", i / 7, '"x, ""y"""' if i % 3 else "'z'", "yn"[i % 2])),
    "unicode headers": "schlüssel_id,größe,名前,ziel\n"
    + rows(40, lambda i: (i, i * 0.5, "äöü"[i % 3], ["niedrig", "mittel", "hoch"][i % 3])),
    "a byte order mark": "\ufeffid,x,y\n" + rows(40, lambda i: (i, i, i * 1.5 + 0.25)),
    "spaces": " id , my feature , the label \n"
    + rows(40, lambda i: (f" a{i} ", f" {i} ", " yes " if i % 2 else " no ")),
    "control characters": '"tab\there","line\nbreak",y\n'
    + rows(40, lambda i: (i % 7, i % 5, i % 2)),
    "toml and python at once": '"\'\'\'","a\\b","""""""",y\n'
    + rows(40, lambda i: (i % 7, "c:\\d" if i % 2 else "e", i % 5, i % 2)),
    "codes that look like numbers": "code,y\n"
    + rows(40, lambda i: ("A7" if i == 3 else i % 9, i % 2)),
    "numbers that grow a fraction": "x,y\n" + rows(40, lambda i: (i if i < 30 else i + 0.5, i % 2)),
    "an id with zeros in front": "id,x,y\n" + rows(40, lambda i: (f"{i:05}", i, i % 2)),
    "semicolons": "id;x;y\n" + rows(40, lambda i: (i, i % 3, i % 2)).replace(",", ";"),
    "times": "when,x,y\n" + rows(40, lambda i: (f"2024-01-{i % 28 + 1:02} 10:00", i, i % 2)),
    "no names": ",x,y\n" + rows(40, lambda i: (i, i % 4, i % 2)),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_files_work_from_init_to_produce(here, invoke, case):
    (here / "a.csv").write_text(AWKWARD[case], encoding="utf-8", newline="")
    written = invoke("init", "a.csv")
    assert written.exit_code == 0, written.stderr
    checked = invoke("check")
    assert checked.exit_code == 0, checked.stdout
    sent = invoke("produce", "a.csv", "--json")
    assert sent.exit_code == 0, sent.stderr
    assert json.loads(sent.stdout)["sent"] == 40


def test_an_awkward_file_is_learned_from(here, invoke, riverrun):
    (here / "a.csv").write_text(AWKWARD["quotes"], encoding="utf-8")
    invoke("init", "a.csv")
    invoke("produce", "a.csv")
    code, out, err = riverrun("worker", "--until-caught-up", "--json")
    assert code == 0, err
    assert json.loads(out)["counts"]["learned"] == 40


def test_columns_are_found_by_name_and_content(here, invoke):
    text = "target,price,order_id,created_at,comment,shop\n" + rows(
        100,
        lambda i: (i % 3 == 0, i * 0.1, f"o{i}", f"2024-01-01T00:{i % 60:02}:00Z", f"c {i}", i % 4),
    )
    (here / "a.csv").write_text(text)
    found = json.loads(invoke("init", "a.csv", "--json").stdout)
    assert (found["id"], found["time"], found["label"]) == ("order_id", "created_at", "target")
    assert found["task"] == "binary"
    assert found["features"] == {"price": "float", "shop": "float"}
    assert list(found["skipped"]) == ["comment"]


@pytest.mark.parametrize(
    ("labels", "task", "classes"),
    [
        (["0", "1"], "binary", None),
        (["true", "false"], "binary", None),
        (["yes", "no"], "binary", ["no", "yes"]),
        (["1", "2"], "binary", [1, 2]),
        (["common", "common", "rare"], "binary", ["common", "rare"]),
        (["a", "b", "c"], "multiclass", None),
        (["1", "2", "3"], "multiclass", None),
        (["1.5", "2.5"], "regression", None),
        ([str(i) for i in range(50)], "regression", None),
        (["only"], "multiclass", None),
    ],
)
def test_the_task_follows_the_labels(here, invoke, labels, task, classes):
    text = "x,y\n" + rows(100, lambda i: (i % 10, labels[i % len(labels)]))
    (here / "a.csv").write_text(text)
    result = invoke("init", "a.csv", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["task"], found["classes"]) == (task, classes)
    assert invoke("check").exit_code == 0
    assert invoke("produce", "a.csv").exit_code == 0


def test_json_lines_packed_with_gzip(here, invoke):
    lines = "".join(
        json.dumps({"uuid": f"u{i}", "at": 1_700_000_000_000 + i, "x": i, "y": i % 2 == 0}) + "\n"
        for i in range(50)
    )
    (here / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    found = json.loads(invoke("init", "a.jsonl.gz", "--json").stdout)
    assert (found["id"], found["time"], found["label"]) == ("uuid", "at", "y")
    assert invoke("produce", "a.jsonl.gz").exit_code == 0


def test_every_default_that_is_commented_out_is_right(here, invoke):
    (here / "a.csv").write_text("x,y\n1,0\n2,1\n")
    invoke("init", "a.csv")
    before = load_config(here / "riverrun.toml")
    text = (here / "riverrun.toml").read_text()
    without_default = ("id", "time", "factory", "classes", "schema_file", "pane_span", "segments")
    without_default += ("labels", "schedule", "max_loss", "webhook", "alertmanager")
    without_default += ("tracking_uri", "experiment", "registered_model", "issuer", "audience")
    without_default += ("jwks_url", "keys_file", "tls_cert", "tls_key", "remembered_file")
    without_default += ("security_protocol", "sasl_mechanism", "ssl_", "token_", "max_memory")
    without_default += ("mini_batch", "per", "health_port")
    skip = tuple(f"# {key}" if key[-1] == "_" else f"# {key} =" for key in without_default)
    lines = [
        line.removeprefix("# ") if " = " in line and not line.startswith(skip) else line
        for line in text.splitlines()
    ]
    (here / "riverrun.toml").write_text("\n".join(lines))
    after = load_config(here / "riverrun.toml")
    assert after.topic_names == before.topic_names
    assert after.metric_names == before.metric_names
    for section in (
        "stream",
        "kafka",
        "event",
        "labels",
        "dead_letters",
        "checkpoint",
        "monitor",
        "retrain",
        "api",
        "alerts",
        "mlflow",
    ):
        assert getattr(after, section) == getattr(before, section)


def test_an_existing_file_is_kept_without_force(config, invoke, here):
    (here / "a.csv").write_text("x,y\n1,0\n2,1\n")
    before = config.read_text()
    result = invoke("init", "a.csv")
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert config.read_text() == before
    assert invoke("init", "a.csv", "--force").exit_code == 0


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("x,y\n", (), "only the line of column names"),
        ("", (), "empty"),
        ("x,y\n1,0\n", ("--label", "z"), "no column 'z'"),
        ("price,y\n1,0\n", ("--label", "prize"), "did you mean 'price'?"),
        ("x,y\n1,\n2,\n", ("--label", "y"), "missing in all of the sample"),
        ("y\n1\n", (), "a label and one feature at least"),
        ("a,y\n" + rows(300, lambda i: (i, f"text {i}")), (), "300 different values of text"),
        ("a,y\n" + rows(9, lambda i: (f"t {i}", i % 2)), (), "no column can be a feature"),
        ("x,y\n1,a\n2,b\n", ("--task", "regression"), "needs numbers"),
        ("x,y\n1,a\n2,b\n3,c\n", ("--task", "binary"), "needs two classes"),
        ("x,y\n1,0\n", ("--output", "no/such/folder/a.toml"), "No such file or directory"),
        ("x,y\n1,0\n", ("--name", "no spaces please"), "stream.name"),
    ],
)
def test_bad_input_is_a_sentence(here, invoke, content, options, message):
    (here / "a.csv").write_text(content)
    result = invoke("init", "a.csv", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (here / "riverrun.toml").exists()
