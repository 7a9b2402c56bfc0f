"""The same commands over a real Apache Kafka."""

import json
from uuid import uuid4

import pytest


@pytest.fixture
def quiet(environment):
    # kafka-python 3.0.12 reads its schemas in a way that Python 3.11 and 3.12 deprecate.
    environment["PYTHONWARNINGS"] = "default"


@pytest.fixture
def on_kafka(config, kafka_broker, quiet):
    name = f"cli-{uuid4().hex[:8]}"
    text = config.read_text().replace('"s"', f'"{name}"\nbroker = "{kafka_broker.url}"')
    config.write_text(text)
    return name


def test_demo_over_kafka(kafka_broker, quiet, riverrun):
    arguments = ("--events", 1_000, "--speed", "max", "--exit", "--json")
    code, out, err = riverrun("demo", "--broker", kafka_broker.url, *arguments)
    assert code == 0, err
    status = json.loads(out)
    assert status["counts"]["events"] == 1_000
    assert status["counts"]["learned"] == status["counts"]["label_messages"] == 989
    assert status["counts"]["dead_lettered"] == 0


def test_from_check_to_status_over_kafka(on_kafka, events, riverrun):
    code, out, err = riverrun("check", "--json")
    assert code == 3, err
    assert sum("--create-topics" in each["found"] for each in json.loads(out)["checks"]) == 4
    code, out, err = riverrun("check", "--create-topics")
    assert code == 0, err
    code, out, err = riverrun("produce", events, "--json")
    assert code == 0, err
    assert json.loads(out)["sent"] == 60
    code, out, err = riverrun("worker", "--until-caught-up", "--json")
    assert code == 0, err
    code, out, err = riverrun("status", "--json")
    assert code == 0, err
    status = json.loads(out)
    assert status["counts"]["learned"] == 60
    assert status["lag"] == {f"{on_kafka}.events-0": 0, f"{on_kafka}.labels-0": 0}


def test_produce_does_not_make_topics_on_kafka(on_kafka, events, riverrun):
    code, _, err = riverrun("produce", events)
    assert code == 3
    assert "--create-topics" in err


def test_a_broker_that_is_not_there_leaves_with_3(config, quiet, riverrun):
    config.write_text(config.read_text().replace('"s"', '"s"\nbroker = "kafka://127.0.0.1:1"'))
    for command in (("produce", "-"), ("worker",), ("up",), ("check",)):
        code, out, err = riverrun(*command, stdin="")
        assert code == 3, err
        assert "127.0.0.1:1" in out + err
        assert "Traceback" not in err
