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


def checks(invoke):
    result = invoke("check", "--json")
    return result.exit_code, {c["check"]: c for c in json.loads(result.stdout)["checks"]}


def test_without_a_schema_it_says_what_will_be_inferred(config, invoke):
    code, found = checks(invoke)
    assert code == 0
    assert found["schema"]["found"] == "none given: it is inferred from the first 10,000 events"
    assert "segments" not in found


def test_a_schema_is_read_and_held_against_the_features(config, here, invoke):
    config.write_text(config.read_text() + '\n[monitor]\nschema_file = "schema.toml"\n')
    code, found = checks(invoke)
    assert code == 2
    assert (
        "schema.toml; no such file; write one with 'riverrun schema infer'"
        in (found["schema"]["found"])
    )
    schema = here / "schema.toml"
    schema.write_text('[features.x]\ntype = "number"\n')
    code, found = checks(invoke)
    assert code == 2
    assert "expected one of int, float" in found["schema"]["found"]
    schema.write_text('ignored = ["y"]\n[features.x]\ntype = "float"\n[features.z]\ntype = "int"\n')
    code, found = checks(invoke)
    assert code == 2
    assert "required features ['z']" in found["schema"]["found"]
    schema.write_text(
        'ignored = ["y"]\n[features.x]\ntype = "float"\n[features.z]\ntype = "int"\n'
        "required = false\n"
    )
    code, found = checks(invoke)
    assert code == 0
    assert found["schema"]["found"] == (
        "schema.toml: 2 features; not in it, so that each event warns: color; "
        "not in event.features, so that they never come: z"
    )


def test_segments_that_do_not_exist_are_named(config, invoke):
    config.write_text(config.read_text() + '\n[monitor]\nsegments = ["colour", "q", "x"]\n')
    code, found = checks(invoke)
    assert code == 2
    assert "'colour'; no such feature; did you mean 'color'?" in found["segments"]["found"]
    assert "'q'; no such feature; there are: x, color" in found["segments"]["found"]
    config.write_text(config.read_text().replace('"colour", "q", ', ""))
    assert checks(invoke)[1]["segments"]["found"] == "x"


def test_segments_are_held_against_the_inferred_schema_once_there_is_one(here, invoke):
    from tests.cli.watched import rows, write_stream

    write_stream(here, 'segments = ["q"]\n')
    code, found = checks(invoke)
    assert code == 0
    assert "whether they exist shows with the first schema" in found["segments"]["found"]
    invoke("produce", "-", stdin=rows(0, 1_000))
    invoke("worker", "--until-caught-up")
    code, found = checks(invoke)
    assert code == 2
    assert "'q'; no such feature; there are: a, b, c" in found["segments"]["found"]
