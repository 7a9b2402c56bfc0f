"""One event is followed from the request over the log to its prediction and its label."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from structlog.testing import capture_logs

from serve.otel import asked_for, open_provider
from serve.traced_line import TracedLine
from serve.traced_sink import EventIds, TracedSink, trace_of
from stream.errors import ConfigError, RecordTooLargeError
from stream.records import NewRecord
from stream.trace import is_traceparent, trace_headers, trace_id
from tests.otlp import Collector

ROOT = Path(__file__).parents[2]
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"
PREDICT = "/v1/streams/flights/predict"


def body(event: dict) -> bytes:
    return msgspec.json.encode({"event": event})


def headers_of(record) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00-0-0-00",
        PARENT.upper().encode(),
        PARENT.encode() + b"-more",
        b"ff" + PARENT.encode()[2:],
        PARENT.encode() + b"\r\nx: 1",
        PARENT.encode() + b"\n",
        f"00-{'0' * 32}-b7ad6b7169203331-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        b"\xff" * 55,
        b"01-" + b"x" * 10_000,
    ],
)
def test_what_is_no_trace_is_not_handed_on(value):
    assert not is_traceparent(value)
    assert trace_headers((("traceparent", value),)) == ()
    assert trace_id((("traceparent", value),)) is None


def test_a_later_version_is_handed_on_as_it_came():
    later = b"cc" + PARENT.encode()[2:] + b"-what-will-come"
    assert trace_headers((("traceparent", later),)) == (("traceparent", later),)


def test_the_state_goes_on_only_with_its_parent_and_in_printable_ascii():
    parent = ("traceparent", PARENT.encode())
    assert trace_headers((parent, ("tracestate", b"a=1"))) == (parent, ("tracestate", b"a=1"))
    assert trace_headers((parent, ("tracestate", b"a\n1"))) == (parent,)
    assert trace_headers((("tracestate", b"a=1"),)) == ()


def test_without_open_telemetry_a_trace_goes_on_to_the_prediction(world):
    with world.api() as client:
        client.headers["traceparent"] = PARENT
        client.headers["tracestate"] = "vendor=1"
        assert client.post(PREDICT, content=body(world.event())).status_code == 200
        events = "/v1/streams/flights/events"
        assert client.post(events, json=[world.event()]).status_code == 202
        del client.headers["traceparent"]
        assert client.post(events, json=[world.event()]).status_code == 202
    world.work()
    sent = [headers_of(record) for record in world.records()[-3:]]
    assert [one.get("traceparent") for one in sorted(sent, key=len, reverse=True)] == [
        PARENT,
        PARENT,
        None,
    ]
    predicted = world.records(world.config.predictions_topic)[-3:]
    found = [headers_of(record) for record in predicted]
    assert sorted(one.get("traceparent", "") for one in found) == ["", PARENT, PARENT]
    assert all(one["tracestate"] == "vendor=1" for one in found if "traceparent" in one)


def test_a_request_does_not_inherit_the_trace_of_the_one_before_it(world):
    with world.api() as client:  # on one connection
        traced = {"traceparent": PARENT}
        assert client.post(PREDICT, content=body(world.event()), headers=traced).status_code == 200
        for _ in range(3):
            assert client.post(PREDICT, content=body(world.event())).status_code == 200
    found = [headers_of(record) for record in world.records()[-4:]]
    assert [("traceparent" in one) for one in found] == [True, False, False, False]


@pytest.fixture
def every_line() -> Iterator[None]:
    """Drop no line of log, whatever level a command of another test has set in this process."""
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("every_line")
def test_a_dead_letter_keeps_its_trace_and_the_log_names_it(world):
    topic = world.config.events_topic
    headers = (("traceparent", PARENT.encode()),)
    world.log.sink().append([NewRecord(topic, b"key-7", b"{", headers)]).offsets()
    with capture_logs() as lines:
        world.work()
    (letter,) = world.records(world.config.dead_letters_topic)
    assert headers_of(letter)["traceparent"] == PARENT
    (told,) = [line for line in lines if line["event"] == "dead_letter"]
    assert (told["trace_id"], told["key"]) == (TRACE, "key-7")


# ---------------------------------------------------------------- spans


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def provider_of(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@contextmanager
def traced(world, exporter) -> Iterator[httpx.Client]:
    """Serve with spans; the worker makes some, too."""
    world.worker.tracing = TracedLine(world.config, provider_of(exporter))
    world.worker.start()
    with world.api(spans=provider_of(exporter)) as client:
        yield client


def by_name(exporter) -> dict[str, list]:
    found: dict[str, list] = {}
    for span in exporter.get_finished_spans():
        found.setdefault(span.name.split()[0], []).append(span)
    return found


def test_from_produce_over_prediction_to_the_label_it_is_one_trace(world, spans):
    with traced(world, spans) as client:
        event = world.event()
        answer = client.post(PREDICT, content=body(event), headers={"traceparent": PARENT})
        assert answer.status_code == 200
        world.work()
        label = {"id": event["id"], "late": True}
        assert client.post("/v1/streams/flights/labels", json=label).status_code == 202
        world.work()
    found = by_name(spans)
    request = next(s for s in found["POST"] if s.name.endswith("predict"))
    (predicted,), (learned,) = found["predict"], found["learn"]
    assert f"{request.context.trace_id:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == PARENT.split("-")[2]
    assert predicted.context.trace_id == request.context.trace_id
    assert predicted.parent.span_id == request.context.span_id
    assert [link.context.span_id for link in learned.links] == [predicted.context.span_id]
    assert predicted.attributes["riverrun.event.id"] == event["id"]
    assert predicted.attributes["riverrun.source"] == "api"
    assert predicted.attributes["riverrun.model.version"] == "v1"
    assert learned.attributes["riverrun.learned"] is True
    assert request.attributes["http.route"] == "/v1/streams/{stream}/predict"
    assert request.attributes["http.response.status_code"] == 200
    (record,) = world.records(world.config.predictions_topic)[-1:]
    handed_on = headers_of(record)["traceparent"].split("-")
    assert handed_on[1:3] == [TRACE, f"{predicted.context.span_id:016x}"]


def test_what_nobody_traces_or_samples_makes_no_span_in_the_worker(world, spans):
    topic = world.config.events_topic
    world.worker.tracing = TracedLine(world.config, provider_of(spans))
    world.worker.start()
    headers = (("traceparent", UNSAMPLED.encode()),)
    rows = [NewRecord(topic, None, msgspec.json.encode(world.event()), h) for h in ((), headers)]
    world.log.sink().append(rows).offsets()
    world.work()
    assert spans.get_finished_spans() == ()
    found = [headers_of(record) for record in world.records(world.config.predictions_topic)[-2:]]
    assert [one.get("traceparent", "")[:35] for one in found] == ["", UNSAMPLED[:35]]
    assert found[1]["traceparent"].endswith("-00")


def test_an_event_with_its_label_is_learned_within_its_own_span(world, spans):
    topic = world.config.events_topic
    world.worker.tracing = TracedLine(world.config, provider_of(spans))
    world.worker.start()
    value = msgspec.json.encode(world.event(late=True))
    world.log.sink().append(
        [NewRecord(topic, None, value, (("traceparent", PARENT.encode()),))]
    ).offsets()
    world.work()
    (span,) = spans.get_finished_spans()
    assert span.attributes["riverrun.learned"] is True


def test_a_dead_letter_is_a_span_with_its_error(world, spans):
    topic = world.config.events_topic
    world.worker.tracing = TracedLine(world.config, provider_of(spans))
    world.worker.start()
    world.log.sink().append(
        [NewRecord(topic, None, b"{", (("traceparent", PARENT.encode()),))]
    ).offsets()
    world.work()
    (span,) = spans.get_finished_spans()
    assert span.attributes["error.type"] == "invalid_json"
    assert not span.status.is_ok


def test_tracing_changes_nothing_that_is_learned(make_world, spans):
    worlds = [make_world(), make_world()]
    digests = []
    for world, tracing in zip(worlds, (True, False), strict=True):
        if tracing:
            world.worker.tracing = TracedLine(world.config, provider_of(spans))
            world.worker.start()
        topic = world.config.events_topic
        for number in range(30):
            event = {
                "id": f"e{number}",
                "at": 1_000 * number,
                "x": number % 7,
                "late": number % 3 == 0,
            }
            headers = (("traceparent", PARENT.encode()),) if number % 2 else ()
            world.log.sink().append(
                [NewRecord(topic, None, msgspec.json.encode(event), headers)]
            ).offsets()
        digests.append(world.work()["state_digest"])
    assert digests[0] == digests[1]
    assert len(spans.get_finished_spans()) == 15


# ---------------------------------------------------------------- what is produced


@pytest.fixture
def sending(world, spans):
    """Return a function that makes a sink with traces, of those that a sampler takes."""

    def make(share: float = 1.0, exporter: Any = None) -> TracedSink:
        provider = TracerProvider(
            sampler=TraceIdRatioBased(share), shutdown_on_exit=False, id_generator=EventIds()
        )
        provider.add_span_processor(SimpleSpanProcessor(exporter or spans))
        return TracedSink(world.log.sink(), provider, "flights", "memory")

    return make


def produced(world, count: int = 1, topic: str | None = None) -> list[NewRecord]:
    events = [world.event() for _ in range(count)]
    topic = topic or world.config.events_topic
    return [NewRecord(topic, e["id"].encode(), msgspec.json.encode(e)) for e in events]


def test_an_event_and_its_label_are_produced_in_one_trace(world, spans, sending):
    (event,) = produced(world)
    label = NewRecord(world.config.labels_topic, event.key, event.value, (("mine", b"1"),))
    sending().append([event])
    sending().append([label])  # another process
    sending().append(produced(world))
    one, two, three = spans.get_finished_spans()
    assert one.context.trace_id == two.context.trace_id != three.context.trace_id
    assert one.context.span_id != two.context.span_id
    assert one.context.trace_id == trace_of("flights", event.key.decode())
    assert trace_of("trains", event.key.decode()) != one.context.trace_id
    (record,) = world.records(world.config.labels_topic)
    assert record.headers[0] == ("mine", b"1")
    handed_on = headers_of(record)["traceparent"].split("-")
    assert handed_on[1:3] == [f"{two.context.trace_id:032x}", f"{two.context.span_id:016x}"]
    assert one.kind.name == "PRODUCER"
    assert not one.context.trace_flags.random_trace_id


def test_what_the_sampler_leaves_out_is_sent_as_it_came(world, spans, sending):
    rows = produced(world, 400)
    sending(0.25).append(rows)
    found = world.records()[-400:]
    with_headers = [record for record in found if record.headers]
    assert 50 < len(with_headers) < 150
    assert [record.value for record in found] == [row.value for row in rows]
    labels = [NewRecord(world.config.labels_topic, row.key, row.value) for row in rows]
    sending(0.25).append(labels)  # the sampler takes an event and its label, or neither
    told = [record.key for record in world.records(world.config.labels_topic) if record.headers]
    assert told == [record.key for record in with_headers]
    assert len(spans.get_finished_spans()) == 2 * len(with_headers)


def test_records_without_a_key_have_traces_of_their_own(world, spans, sending):
    rows = [NewRecord(row.topic, None, row.value) for row in produced(world, 2)]
    sending().append(rows)
    one, two = spans.get_finished_spans()
    assert one.context.trace_id != two.context.trace_id


def test_what_the_log_does_not_take_is_an_error_in_its_span(world, spans, sending):
    (event,) = produced(world)
    sink = sending()
    with pytest.raises(RecordTooLargeError):
        sink.append([NewRecord(event.topic, event.key, b"x" * 10_000_000)])
    (span,) = spans.get_finished_spans()
    assert not span.status.is_ok


@pytest.mark.usefixtures("every_line")
def test_a_slow_collector_is_waited_for_once(world, sending, monkeypatch):
    sink = sending()
    waited = []
    monkeypatch.setattr("serve.traced_sink._SLOW_SECONDS", -1.0)
    monkeypatch.setattr(sink._provider, "force_flush", lambda: waited.append(1))
    with capture_logs() as lines:
        for _ in range(3):
            sink.append(produced(world))
    assert len(waited) == 1
    assert [line["event"] for line in lines] == ["collector_slow"]


# ---------------------------------------------------------------- OTLP, by the variables alone


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "riverrun.toml").write_text(
        '[stream]\nname = "s"\nbroker = "sqlite:///log.db"\nstore = "sqlite:///store.db"\n'
        '[event]\nid = "id"\nlabel = "y"\n[model]\ntask = "binary"\n'
        'pipeline = "linear_model.LogisticRegression()"\n'
    )
    return tmp_path


def worker(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "RIVERRUN_"))}
    return subprocess.run(
        [sys.executable, "-m", "serve.cli", "worker", "--until-caught-up", "--log-format", "json"],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def produce(folder: Path) -> None:
    from stream.logs.sqlite_log import SqliteLog

    log = SqliteLog(folder / "log.db")
    log.create_topics(dict.fromkeys(("s.events", "s.labels", "s.predictions", "s.dead-letters"), 1))
    headers = (("traceparent", PARENT.encode()),)
    log.sink().append(
        [
            NewRecord("s.events", None, b'{"id": "a", "x": 1.0}', headers),
            NewRecord("s.labels", None, b'{"id": "a", "y": true}'),
        ]
    ).offsets()
    log.close()


def test_a_worker_exports_over_otlp_by_the_standard_variables(folder, collector):
    produce(folder)
    done = worker(
        folder,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer otel-secret",
        OTEL_SERVICE_NAME="flights-worker",
    )
    assert done.returncode == 0, done.stderr
    names = sorted(span.name for span in collector.spans)
    assert names == ["learn s", "predict s"]
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    assert collector.services == {"flights-worker"}
    assert collector.headers[0]["authorization"] == "Bearer otel-secret"
    assert "otel-secret" not in done.stdout + done.stderr


def test_a_collector_that_is_away_stops_nobody(folder):
    produce(folder)
    started = time.monotonic()
    done = worker(
        folder,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    assert done.returncode == 0, done.stderr
    assert '"event": "started"' in done.stderr
    assert time.monotonic() - started < 100


def test_nothing_is_imported_where_nobody_asks(folder):
    code = (
        "import sys, os\n"
        "from serve.otel import open_provider\n"
        "import serve.cli.worker, serve.api.app, stream.worker\n"
        "assert open_provider(os.environ) is None\n"
        "mine = ('opentelemetry.sdk', 'opentelemetry.exporter')\n"
        "found = [m for m in sys.modules if m.startswith(mine)]\n"
        "assert not found, found\n"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    subprocess.run(
        [sys.executable, "-c", code],
        env=kept | {"PYTHONPATH": str(ROOT), "OTEL_SERVICE_NAME": "x"},
        check=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "otlp or none"),
    ],
)
def test_what_is_not_here_is_said(environment, said):
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"} | environment
    with pytest.raises(ConfigError, match=said):
        open_provider(asked)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"pip install 'riverrun\[otel\]'"):
        open_provider({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "x"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"},
    ],
)
def test_it_is_off_unless_it_is_asked_for(environment):
    assert asked_for(environment) is None
    assert open_provider(environment) is None
