"""One event is followed from the request over the log to its prediction and its label."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from serve.otel import asked_for, open_provider
from serve.traced_line import TracedLine
from stream.errors import ConfigError
from stream.records import NewRecord
from stream.trace import is_traceparent, trace_headers, trace_id

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


def test_a_dead_letter_keeps_its_trace_and_the_log_names_it(world, capsys):
    topic = world.config.events_topic
    headers = (("traceparent", PARENT.encode()),)
    world.log.sink().append([NewRecord(topic, b"key-7", b"{", headers)]).offsets()
    world.work()
    (letter,) = world.records(world.config.dead_letters_topic)
    assert headers_of(letter)["traceparent"] == PARENT
    told = capsys.readouterr().out
    assert "dead_letter" in told
    assert TRACE in told
    assert "key-7" in told


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


# ---------------------------------------------------------------- OTLP, by the variables alone


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list = []
        self.services: set[str] = set()
        self.headers: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    data = gzip.decompress(data)
                request = ExportTraceServiceRequest.FromString(data)
                collector.headers.append({k.lower(): v for k, v in self.headers.items()})
                for resource in request.resource_spans:
                    named = {a.key: a.value.string_value for a in resource.resource.attributes}
                    collector.services.add(named["service.name"])
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


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
