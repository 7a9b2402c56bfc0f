"""The same commands over a real Apache Kafka."""

import json
from uuid import uuid4

import pytest

from serve.traced_sink import trace_of
from tests.otlp import Collector


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


@pytest.fixture
def collector(environment):
    found = Collector()
    environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": found.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    yield found
    found.stop()


def test_a_trace_goes_from_produce_over_the_prediction_to_the_label(
    on_kafka, here, riverrun, collector
):
    rows = [{"id": f"e{number}", "x": float(number), "color": "red"} for number in range(20)]
    labels = [{"id": row["id"], "y": row["x"] > 9} for row in rows]
    for name, lines in (("events", rows), ("labels", labels)):
        (here / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert riverrun("check", "--create-topics")[0] == 0
    assert riverrun("produce", "events.jsonl")[0] == 0
    assert riverrun("produce", "labels.jsonl", "--to", "labels")[0] == 0
    code, _, err = riverrun("worker", "--until-caught-up")
    assert code == 0, err

    traces = {}
    for span in collector.spans:
        about = {a.key: a.value for a in span.attributes}
        what = span.name.split()[0]
        topic = about["messaging.destination.name"].string_value.rpartition(".")[2]
        event_id = about["riverrun.event.id"].string_value
        assert about["messaging.system"].string_value == "kafka"
        assert traces.setdefault((event_id, what, topic), span) is span
    assert len(traces) == 4 * len(rows)
    for row in rows:
        key = row["id"]
        produced = traces[key, "produce", "events"]
        predicted = traces[key, "predict", "events"]
        labelled = traces[key, "produce", "labels"]
        learned = traces[key, "learn", "labels"]
        both = {one.trace_id for one in (produced, predicted, labelled, learned)}
        assert both == {trace_of(on_kafka, key).to_bytes(16, "big")}
        assert (produced.parent_span_id, labelled.parent_span_id) == (b"", b"")
        assert predicted.parent_span_id == produced.span_id
        assert learned.parent_span_id == labelled.span_id
        assert [link.span_id for link in learned.links] == [predicted.span_id]
        assert {a.key: a.value.bool_value for a in learned.attributes}["riverrun.learned"]
        assert offset_of(produced) == offset_of(predicted)
        assert offset_of(labelled) == offset_of(learned)


def offset_of(span):
    (found,) = (a.value for a in span.attributes if a.key == "messaging.kafka.offset")
    return found.int_value
