"""OpenTelemetry: a provider of spans by the standard variables ``OTEL_*``; none without them.

Nothing of the SDK is imported unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from stream.errors import ConfigError, Problem

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTER = "OTEL_TRACES_EXPORTER"
_HTTP = "http/protobuf"


def asked_for(environ: Mapping[str, str]) -> str | None:
    """Return the variable that asks for traces; None where none does.

    Examples
    --------
    >>> asked_for({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    'OTEL_EXPORTER_OTLP_ENDPOINT'
    >>> asked_for({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}) is None
    True
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    exporter = environ.get(_EXPORTER, "").strip()
    if exporter == "none":
        return None
    if exporter:
        return _EXPORTER
    return next((name for name in _ENDPOINTS if environ.get(name)), None)


def open_provider(
    environ: Mapping[str, str], ids: Callable[[], IdGenerator] | None = None
) -> TracerProvider | None:
    """Return a provider whose spans go out by OTLP over HTTP; None where nobody asked for it.

    Parameters
    ----------
    environ
        Decides whether; the SDK reads its own variables (sampler, batches, headers, resource).
    ids
        Makes what numbers traces and spans; None for random numbers.

    Raises
    ------
    ConfigError
        When it is asked for and cannot be had.
    """
    asked = asked_for(environ)
    if asked is None:
        return None
    _refuse_others(environ)
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        advice = "pip install 'riverrun[otel]', or unset it"
        problem = Problem(asked, "set, and OpenTelemetry is not installed", advice)
        raise ConfigError("environment", [problem]) from None
    try:
        is_named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        resource = Resource.create({} if is_named else {"service.name": "riverrun"})
        # Whoever opened it closes it; nothing is left to an exit handler.
        provider = TracerProvider(
            resource=resource, shutdown_on_exit=False, id_generator=None if ids is None else ids()
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except ValueError as error:
        problem = Problem("OTEL_*", str(error), "correct it; the SDK's documentation lists them")
        raise ConfigError("environment", [problem]) from None
    return provider


def _refuse_others(environ: Mapping[str, str]) -> None:
    problems = []
    exporter = environ.get(_EXPORTER, "otlp").strip()
    if exporter != "otlp":
        problems.append(Problem(_EXPORTER, repr(exporter), "otlp or none"))
    name = next((one for one in _PROTOCOLS if environ.get(one)), None)
    if name is not None and environ[name].strip() != _HTTP:
        problems.append(Problem(name, repr(environ[name]), f"{_HTTP}, the only one here"))
    if problems:
        raise ConfigError("environment", problems)
