"""``riverrun drift`` over a stream's past: any span of stored panes, without raw data."""

import json

import pytest

from tests.cli.watched import rows, write_stream


@pytest.fixture
def stream(here, invoke):
    """A stream of 3,000 events, one a minute, with a shift in the last 500."""
    write_stream(here)
    text = rows(0, 2500) + rows(2500, 3000, shift=1.0)
    assert invoke("produce", "-", stdin=text).exit_code == 0
    assert invoke("worker", "--until-caught-up").exit_code == 0


def compared(invoke, *arguments):
    result = invoke("drift", *arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


def test_the_shift_is_found_where_it_is_and_nothing_before(stream, invoke):
    code, data = compared(invoke, "--from", "500m")
    assert code == 1
    assert data["drifted"][0] == "a"
    assert data["span"]["panes"] == 6  # a pane ends at 2,499, and 500 minutes before 2,999
    # What a model says still changes while it learns from its first thousand events on.
    between = ("--from", "2025-01-01T20:00Z", "--to", "2025-01-02T16:00", "--ignore", "prediction")
    code, data = compared(invoke, *between)
    assert (code, data["verdict"], data["span"]["version"]) == (0, "ok", "v1")


def test_without_times_the_last_16_panes_are_compared(stream, invoke):
    code, data = compared(invoke)
    assert (code, data["span"]["panes"], data["current"]["rows"]) == (1, 16, 1600)
    _, data = compared(invoke, "--to", "3h")
    assert data["span"]["panes"] == 16


def test_prediction_and_label_are_columns_and_named_as_what_they_are(stream, invoke):
    _, data = compared(invoke)
    roles = {(f["name"], f["role"]) for f in data["features"]}
    assert {("a", "feature"), ("prediction", "prediction"), ("label", "label")} <= roles
    shown = invoke("drift", "--against", "v1").stdout
    assert "numeric prediction" in shown
    assert "categorical label" in shown
    assert "above the reference of v1 (1,000 events), below 16 panes" in " ".join(shown.split())
    assert "of 5 columns drifted" in shown


def test_columns_are_chosen_as_those_of_files(stream, invoke):
    code, data = compared(invoke, "--ignore", "a,prediction")
    assert code == 0
    assert data["left_out"] == {"a": "ignored, as asked", "prediction": "ignored, as asked"}
    code, data = compared(invoke, "--columns", "a")
    assert (code, [f["name"] for f in data["features"]]) == (1, ["a"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.csv", "b.csv", "--from", "2h"], "--from is for the stored panes of a stream"),
        (["a.csv", "--against", "v1"], "--against is for the stored panes"),
        (["a.csv"], "one file was named; name two, or none"),
        (["--js-floor", "0.2"], "monitor.js_floor"),
        (["--from", "yesterday"], "--from: found 'yesterday'; give a time such as 2025-"),
        (["--from", "1h", "--to", "2h"], "is not before --to"),
        (["--from", "2030-01-01"], "no pane lies between"),
        (["--against", "v7"], "there are: v1"),
        (["--columns", "q"], "--columns: no pane has a column 'q'"),
        (["--config", "no.toml"], "no such file"),
    ],
)
def test_what_cannot_be_used_leaves_with_2_and_a_sentence(stream, invoke, arguments, message):
    result = invoke("drift", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stdout == ""


def test_before_there_is_anything_it_leaves_with_2_and_makes_no_file(here, invoke):
    assert "no files were named, and there is no riverrun.toml" in invoke("drift").stderr
    write_stream(here)
    result = invoke("drift")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no checkpoint of 's' yet" in result.stderr
    assert [path.name for path in here.iterdir()] == ["riverrun.toml"]


def test_in_the_warm_up_it_says_so(here, invoke):
    write_stream(here)
    invoke("produce", "-", stdin=rows(0, 50))
    invoke("worker", "--until-caught-up")
    result = invoke("drift")
    assert result.exit_code == 2
    assert "warm-up" in result.stderr
