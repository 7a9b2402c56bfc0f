"""``check`` and ``status``: what is there, and every problem at once."""

import json

import pytest


def test_everything_is_well(config, invoke):
    result = invoke("check")
    assert result.exit_code == 0
    assert "all is well" in result.stdout
    assert "s.events: 1 partition, 0 records (created)" in " ".join(result.stdout.split())


def test_every_problem_is_reported(config, invoke):
    text = config.read_text().replace("LogisticRegression", "LogisticRegresion")
    text = text.replace(
        'name = "s"', 'name = "s"\nbroker = "sqlite:///no/log.db"\nstore = "sqlite:///no/s.db"'
    )
    config.write_text(text)
    result = invoke("check", "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert not found["ok"]
    checks = {each["check"]: each for each in found["checks"]}
    assert checks["configuration"]["ok"]
    assert "did you mean LogisticRegression?" in checks["pipeline"]["found"]
    assert checks["log"]["exit_code"] == checks["store"]["exit_code"] == 3


def test_mistakes_of_the_configuration_are_all_in_the_table(config, invoke):
    config.write_text("[stream]\nname = 's'\nbrocker = 'x'\n[model]\ntask = 'guess'\n")
    result = invoke("check")
    assert result.exit_code == 2
    for key in ("stream.brocker", "did you mean 'broker'?", "model.task"):
        assert key in " ".join(result.stdout.split())


def test_missing_topics_are_each_a_problem_unless_they_are_created(config, invoke):
    config.write_text(config.read_text() + "\n[topics]\ncreate = false\n")
    result = invoke("check", "--json")
    assert result.exit_code == 3
    missing = [c for c in json.loads(result.stdout)["checks"] if not c["ok"]]
    assert len(missing) == 4
    assert all("--create-topics" in each["found"] for each in missing)
    assert invoke("check", "--create-topics").exit_code == 0
    assert invoke("check").exit_code == 0


def test_status_before_any_checkpoint_leaves_with_1_and_makes_no_file(config, here, invoke):
    result = invoke("status", "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "no checkpoint of 's' yet" in result.stderr
    assert [path.name for path in here.iterdir()] == ["riverrun.toml"]


@pytest.fixture
def learned(config, events, invoke, riverrun):
    assert invoke("produce", events).exit_code == 0
    code, _, err = riverrun("worker", "--until-caught-up")
    assert code == 0, err


def test_status_shows_counts_scores_and_lag(learned, events, invoke):
    assert invoke("produce", events, "--limit", 7).exit_code == 0
    status = json.loads(invoke("status", "--json").stdout)
    assert status["counts"]["learned"] == 60
    assert status["lag"] == {"s.events-0": 7, "s.labels-0": 0}
    assert status["lag_error"] is None
    assert 0 <= status["checkpoint_age_seconds"] < 100
    shown = " ".join(invoke("status").stdout.split())
    for text in ("learned 60", "behind: s.events-0 7", "no change", "majority", "the last 1,000"):
        assert text in shown


def test_status_says_why_the_log_cannot_be_reached(learned, here, invoke):
    (here / "log.db").rename(here / "gone.db")
    result = invoke("status", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["lag_error"] == "event log log.db does not exist"
    assert "not known: event log log.db does not exist" in invoke("status").stdout
    assert not (here / "log.db").exists()


def test_check_shows_what_was_learned(learned, invoke):
    assert "checkpoint 1 of v1, learned 60" in " ".join(invoke("check").stdout.split())
