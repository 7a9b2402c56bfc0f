"""``produce``: what is sent is what the worker will read; what is wrong is said before."""

import json
import time
from contextlib import closing

import msgspec
import pytest

from stream.load_config import load_config
from stream.logs.open_log import open_log


def sent(config):
    settings = load_config(config)
    with closing(open_log(settings.stream.broker)) as log:
        topics = log.topics()
        found = {}
        for topic in (settings.events_topic, settings.labels_topic):
            if topic in topics:
                records = log.source([topic]).poll(1_000, 0)
                found[topic] = [(r.key, msgspec.json.decode(r.value)) for r in records]
    return found


def test_csv_values_have_types_and_missing_ones_are_left_out(config, here, invoke):
    (here / "a.csv").write_text(
        "id,x,color,y,extra,flag,note\n007,1,5,true,2.5,false,NA\n8,,,0,,,n\n"
    )
    result = invoke("produce", "a.csv")
    assert result.exit_code == 0, result.stderr
    assert "sent 2 events to s.events" in result.stdout
    assert sent(config)["s.events"] == [
        (
            b"007",
            {"id": "007", "x": 1.0, "color": "5", "y": True, "extra": 2.5, "flag": False},
        ),
        (b"8", {"id": "8", "y": 0, "note": "n"}),
    ]


def test_labels_are_sent_with_their_id_only(config, here, invoke):
    (here / "a.csv").write_text("id,x,color,y\n1,1,red,true\n")
    assert invoke("produce", "a.csv", "--to", "labels").exit_code == 0
    assert sent(config)["s.labels"] == [(b"1", {"id": "1", "y": True})]


def test_json_lines_from_standard_input(config, invoke):
    result = invoke("produce", "-", "--json", stdin='{"id": 1, "x": 2}\n\n{"id": "b", "y": 1}\n')
    assert result.exit_code == 0
    assert json.loads(result.stdout)["sent"] == 2
    assert sent(config)["s.events"] == [(b"1", {"id": 1, "x": 2}), (b"b", {"id": "b", "y": 1})]


def test_limit_and_rate(config, events, invoke):
    started = time.monotonic()
    result = invoke("produce", events, "--limit", 20, "--rate", "50/s", "--json")
    assert json.loads(result.stdout)["sent"] == 20
    assert 0.25 < time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("name", "content", "arguments", "message"),
    [
        ("a.jsonl", '{"id": 1}\n{"id": \n', (), "a.jsonl, line 2: "),
        ("a.jsonl", '{"id": 1}\n{"x": 1}\n', (), "line 2: the field 'id' is missing"),
        ("a.jsonl", '{"id": 1, "y": "maybe"}\n', (), "line 1: the field 'y' is 'maybe'"),
        ("a.jsonl", '{"id": 1, "x": "wide"}\n', (), "line 1: Expected"),
        ("a.jsonl", "\n", (), "no rows to send"),
        ("a.csv", "id,x,color,y\n1,2,red,1\n2,wide,red,1\n", (), "line 3: column 'x' holds 'wide'"),
        ("a.csv", "id,x,color,y\n1,2,red,1\n,2,red,1\n", (), "line 3: the field 'id' is missing"),
        ("a.csv", "key,x\n1,2\n", (), "'id' (event.id), 'color' (event.features)"),
        ("a.csv", "id,x,color\n1,2,r\n", ("--to", "labels"), "'y' (event.label)"),
        ("a.csv", "id,x,color,y\n1,2\n", (), "line 2: found 2 cells"),
        ("a.csv", "id,x,color,y\n", (), "no rows to send"),
        ("a.xlsx", "", (), "found the extension '.xlsx'"),
        ("a.csv", "id,x,color,y\n1,2,r,1\n", ("--rate", "fast"), "--rate: found 'fast'"),
        ("a.csv", "id,x,color,y\n1,2,r,1\n", ("--rate", "0/s"), "--rate: found '0/s'"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_sent(
    config, here, invoke, name, content, arguments, message
):
    (here / name).write_text(content)
    result = invoke("produce", name, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not any(sent(config).values())


def test_a_mistake_on_standard_input_tells_how_many_were_sent(config, invoke):
    lines = "".join(f'{{"id": {i}}}\n' for i in range(1_500)) + "{\n"
    result = invoke("produce", "-", stdin=lines)
    assert result.exit_code == 2
    assert "line 1501" in result.stderr
    assert "1,000 records were sent to s.events" in result.stderr
    assert len(sent(config)["s.events"]) == 1_000


def test_labels_need_an_id_in_the_configuration(config, events, invoke):
    config.write_text(config.read_text().replace('id = "id"\n', ""))
    result = invoke("produce", events, "--to", "labels")
    assert result.exit_code == 2
    assert "event.id" in result.stderr


def test_a_missing_configuration_says_how_to_write_one(here, events, invoke):
    result = invoke("produce", events)
    assert result.exit_code == 2
    assert "riverrun init" in result.stderr


def test_an_event_over_the_limit_is_refused(config, here, invoke):
    (here / "a.jsonl").write_text(json.dumps({"id": 1, "color": "x" * 2_000_000}) + "\n")
    result = invoke("produce", "a.jsonl")
    assert result.exit_code == 2
    assert "event.max_bytes" in result.stderr


def test_a_log_that_cannot_be_opened_leaves_with_3(config, events, invoke):
    text = config.read_text().replace('name = "s"', 'name = "s"\nbroker = "sqlite:///no/log.db"')
    config.write_text(text)
    result = invoke("produce", events)
    assert result.exit_code == 3
    assert "folder no does not exist" in result.stderr
    assert "0 records" not in result.stderr
