"""The application: routes over some streams, and the background work that serves them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from serve.api.audit.routes import add_audit_routes
from serve.api.auth.access import Access
from serve.api.auth.cors import allow_origins
from serve.api.auth.guard import AccessMetrics, guard
from serve.api.auth.routes import add_session_routes
from serve.api.dashboard.pages import add_dashboard_routes
from serve.api.dead_letters.routes import add_dead_letter_routes
from serve.api.docs_page import add_docs_page
from serve.api.explain import add_explain_routes
from serve.api.exposition import Exposition
from serve.api.health import add_health_routes
from serve.api.insight.anomaly_series import add_anomaly_series_routes
from serve.api.insight.history import add_history_routes
from serve.api.insight.impact import add_impact_routes
from serve.api.insight.sampler import Sampler
from serve.api.insight.system import add_system_routes
from serve.api.labels.routes import add_label_routes
from serve.api.lean import lean_routes
from serve.api.lifecycle.models import add_model_routes
from serve.api.lifecycle.retrains import add_retrain_routes
from serve.api.live.routes import add_live_routes
from serve.api.metrics import HttpMetrics
from serve.api.monitoring.anomalies import add_anomaly_routes
from serve.api.monitoring.drift import add_drift_routes
from serve.api.monitoring.drift_feature import add_feature_routes
from serve.api.monitoring.drift_report import add_drift_report_routes
from serve.api.monitoring.performance import add_performance_routes
from serve.api.monitoring.schema import add_schema_routes
from serve.api.open_inference.routes import add_open_inference_routes
from serve.api.open_inference.shapes import InferRequest
from serve.api.openapi import describe
from serve.api.predict import add_predict_routes
from serve.api.problems import add_problem_handlers
from serve.api.produce import add_produce_routes
from serve.api.recent.predictions import add_prediction_routes
from serve.api.request_scope import RequestScope
from serve.api.served_stream import ServedStream, Streams
from serve.api.status import add_status_routes
from serve.api.tracing import TracedRequests
from serve.api.workers.share import Share
from stream.api_sections import ApiSection
from stream.storage.identity import libraries

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

DRAIN_SECONDS = 5.0
"""How long served predictions may take to be recorded when the application stops."""


def create_app(
    streams: Sequence[ServedStream],
    *,
    access: Access | None = None,
    share: Share | None = None,
    spans: TracerProvider | None = None,
    drain_seconds: float = DRAIN_SECONDS,
) -> FastAPI:
    """Return an application that serves some streams.

    Its lifespan starts and stops their background work; whoever opened their logs and stores
    closes them.

    Parameters
    ----------
    streams
        No two with the same name.
    access
        Who may use them; everybody by default, which is for loopback alone.
    share
        What is shared with other processes on the same socket; None where this is the only one.
    spans
        Makes a span of each request; None for none.
    drain_seconds
        How long recording may go on when the application stops.
    """
    served = Streams(streams)
    exposition = Exposition(served, share)
    samplers = {stream.name: Sampler(stream) for stream in served}

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        for stream in served:
            await asyncio.to_thread(stream.start)
        for sampler in samplers.values():
            sampler.start()
        publishing = asyncio.create_task(exposition.publish())
        try:
            yield
        finally:
            publishing.cancel()
            app.state.close_live()
            await asyncio.gather(*(asyncio.to_thread(one.stop) for one in samplers.values()))
            await asyncio.gather(
                *(asyncio.to_thread(stream.stop, drain_seconds) for stream in served)
            )
            exposition.publish_last()

    # The default pages load scripts from a CDN.
    app = FastAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    version = libraries()["riverrun"]
    app.openapi = describe(app, version, [InferRequest])  # type: ignore[method-assign]
    add_problem_handlers(app)
    access = access or Access(ApiSection())
    door = AccessMetrics(exposition.counted, access)
    exposition.add(door.families)
    lean = lean_routes(app)
    allow_origins(app, access.settings.cors_origins)
    http = HttpMetrics(exposition.counted)
    _surround(app, http, spans)
    add_docs_page(app)
    add_health_routes(app, served, exposition)
    add_status_routes(app, served)
    add_predict_routes(app, served, lean)
    add_explain_routes(app, served)
    add_produce_routes(app, served)
    add_prediction_routes(app, served)
    _add_monitoring_routes(app, served)
    add_model_routes(app, served)
    add_retrain_routes(app, served)
    live = add_live_routes(app, served, access)
    app.state.close_live = live.close
    exposition.add(live.families)
    add_label_routes(app, served)
    add_dead_letter_routes(app, served)
    add_audit_routes(app, served)
    _add_insight_routes(app, served, samplers, http)
    add_dashboard_routes(app, served, access)
    add_open_inference_routes(app, served, version)
    add_session_routes(app, access, door)
    guard(app, access, door)
    return app


def _surround(app: FastAPI, http: HttpMetrics, spans: TracerProvider | None) -> None:
    """Add what surrounds every request; the last one added is the outermost."""
    if spans is not None:
        app.add_middleware(TracedRequests, provider=spans)
    app.add_middleware(RequestScope, metrics=http)


def _add_monitoring_routes(app: FastAPI, served: Streams) -> None:
    add_schema_routes(app, served)
    add_anomaly_routes(app, served)
    add_drift_routes(app, served)
    add_drift_report_routes(app, served)
    add_feature_routes(app, served)
    add_performance_routes(app, served)


def _add_insight_routes(
    app: FastAPI, served: Streams, samplers: Mapping[str, Sampler], http: HttpMetrics
) -> None:
    add_history_routes(app, served, samplers)
    add_system_routes(app, served, http)
    add_anomaly_series_routes(app, served)
    add_impact_routes(app, served)
