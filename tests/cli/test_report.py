"""``riverrun report``: one page and one document of what happened, from the store alone."""

import json
import re
import shutil
import subprocess

import pytest

from tests.cli.watched import rows, write_stream
from tests.conftest import real_thing

HOSTILE = "<img src=x onerror=\"document.title='pwned'\">"


@pytest.fixture
def stream(here, invoke, monkeypatch):
    """Let a worker read events, with two features whose names are markup."""
    monkeypatch.setenv("RIVERRUN_RETRAIN__ENABLED", "false")
    # What a model says goes on changing while it learns: that is no alarm here.
    write_stream(here, "wasserstein_floor = 2.0\njs_floor = 0.9\n")

    def run(text):
        assert invoke("produce", "-", stdin=text).exit_code == 0
        assert invoke("worker", "--until-caught-up").exit_code == 0

    return run


@pytest.fixture
def drifted(stream):
    """A stream with a shift and a wrong type at its end, in features that are named as markup."""
    calm = rows(0, 2_000, **{HOSTILE: 1.5, "</script><b>x": "k"})
    shifted = rows(2_000, 2_600, shift=3.0, **{HOSTILE: 9.5, "</script><b>x": "z"})
    stream(calm + shifted + rows(2_600, 2_603, **{HOSTILE: "text"}))


def reported(invoke, *arguments):
    result = invoke("report", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_calm_stream_is_healthy_and_the_page_says_its_place_and_size(stream, here, invoke):
    stream(rows(0, 2_500))
    result = invoke("report")
    assert result.exit_code == 0
    said = " ".join(result.stderr.split())
    assert re.search(r"s-report\.html: \d\.\d MB; Healthy: no column is in alarm; the model", said)
    text = (here / "s-report.html").read_text()
    for title in ("Scores", "Drift", "Columns", "Anomalies", "Labels", "Retraining", "Versions"):
        assert re.search(rf"<h2 id=\"\w+\">{title}", text), title
    assert "No change of the loss was found" in text


def test_the_verdict_names_what_drifts_and_since_when(drifted, invoke):
    found = reported(invoke)
    assert found["verdict"]["level"] == "warn"
    sentence = found["verdict"]["sentence"]
    assert "differ from the reference since 2025-01-02" in sentence
    assert "the model is" in sentence
    tested = {one["name"]: one for one in found["columns"]["tested"]}
    assert tested["a"]["status"] == tested[HOSTILE]["status"] == "ALARM"
    shown = {one["name"]: one["distribution"]["bins"] for one in found["columns"]["shown"]}
    assert sum(one["current"] for one in shown["a"]) == pytest.approx(1)
    kinds = {(one["kind"], one["feature"]) for one in found["anomalies"]["groups"]}
    assert ("wrong_type", HOSTILE) in kinds
    assert found["ratios"]["feature/a"][15] > 1 > found["ratios"]["feature/a"][3]
    assert found["panes"][15]["mean_loss"]["model"] is not None


def test_a_span_holds_what_happened_in_it_and_nothing_else(drifted, invoke):
    found = reported(invoke, "--from", "2025-01-01T20:00:00Z", "--to", "2025-01-02T08:00:00Z")
    assert found["verdict"]["sentence"].startswith("Healthy")
    assert 7 <= found["span"]["panes"] <= 9
    assert all(one["kind"] != "wrong_type" for one in found["anomalies"]["groups"])
    assert not [one for one in found["columns"]["tested"] if one["status"] == "ALARM"]
    assert reported(invoke, "--from", "100m")["span"]["panes"] <= 3


def test_runs_and_versions_have_their_reasons(here, invoke, monkeypatch):
    write_stream(here, "[retrain]\nmin_events = 300\nmin_labels = 200\n")
    text = rows(0, 1_800)
    flipped = [json.loads(line) for line in rows(1_800, 6_000).splitlines()]
    text += "".join(json.dumps(row | {"y": not row["y"]}) + "\n" for row in flipped)
    assert invoke("produce", "-", stdin=text).exit_code == 0
    assert invoke("worker", "--until-caught-up").exit_code == 0
    found = reported(invoke)
    assert found["runs"], "the loss changed, so that a run began"
    run = found["runs"][-1]
    assert run["trigger"] in ("drift", "performance", "skew")
    assert "A run began" in run["story"][0]["sentence"]
    assert found["drifts"][0]["by"] in ("betting", "ADWIN")
    assert {one["version"] for one in found["versions"]} >= {"v1", "v2"}
    assert found["configuration"]["sections"]["retrain"]["min_labels"] == 200


def test_a_name_of_markup_stays_text_and_nothing_is_fetched(drifted, here, invoke):
    assert invoke("report", "--out", "r.html").exit_code == 0
    text = (here / "r.html").read_text()
    body = text[: text.index("<script>")]
    assert "<img" not in body
    assert "&lt;img src=x" in body
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", body)
    assert "default-src 'none'" in body
    dom = chromium(here / "r.html")
    assert "pwned" not in re.search(r"<title>(.*?)</title>", dom)[1]
    assert "<img" not in re.sub(r"<script>.*?</script>", "", dom, flags=re.DOTALL)
    # Every chart was drawn, and the names stand in them as they are.
    charts = dom.count('class="chart')
    assert charts >= 4
    assert dom.count("main-svg") >= charts
    assert "&lt;img src=x onerror" in dom[dom.index('id="chart-drift"') :]


def chromium(page):
    """Return the document that Chromium makes of a page."""
    path = shutil.which("chromium")
    if path is None:
        real_thing(FileNotFoundError("chromium; on Debian: apt-get install chromium"))
    command = [path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", f"--user-data-dir={page.parent / 'profile'}"]
    command += ["--virtual-time-budget=5000", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_the_warm_up_is_reported_too(stream, invoke):
    stream(rows(0, 250))
    found = reported(invoke)
    assert found["verdict"]["sentence"].startswith("Warming up: 25%")
    assert found["panes"] == []
    assert invoke("report", "--out", "w.html").exit_code == 0


def test_an_unwatched_stream_is_reported_too(here, invoke):
    write_stream(here)
    text = (here / "riverrun.toml").read_text()
    (here / "riverrun.toml").write_text(
        text[: text.index("[monitor]")] + "[monitor]\nenabled = false\n"
    )
    assert invoke("produce", "-", stdin=rows(0, 200)).exit_code == 0
    assert invoke("worker", "--until-caught-up").exit_code == 0
    assert (
        "The monitor is switched off" in reported(invoke, "--out", "u.html")["verdict"]["sentence"]
    )


def test_no_address_of_log_or_store_stands_in_a_report(stream, here, invoke):
    stream(rows(0, 200))
    assert "sqlite" not in json.dumps(reported(invoke, "--out", "r.html"))
    body = (here / "r.html").read_text()
    assert "sqlite" not in body[: body.index("<script>")]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--from", "yesterday"), 2, "--from: found 'yesterday'"),
        (("--from", "1h", "--to", "2h"), 2, "is not before --to"),
        (("--out", "no/such/folder/r.html"), 2, "--out: no/such/folder/r.html: No such file"),
        (("--config", "nowhere.toml"), 2, "nowhere.toml"),
    ],
)
def test_mistakes_are_said(stream, invoke, arguments, code, message):
    stream(rows(0, 1_500))
    result = invoke("report", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in " ".join(result.stderr.split())


def test_without_a_checkpoint_there_is_nothing_to_report(here, invoke):
    write_stream(here)
    result = invoke("report")
    assert result.exit_code == 1
    assert "start a worker" in " ".join(result.stderr.split())
