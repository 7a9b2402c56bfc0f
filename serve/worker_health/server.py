"""``GET /healthz`` and ``GET /readyz`` of a worker, where ``worker.health_port`` is set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Thread
from typing import Any

import msgspec
import structlog

from serve.compose import Secrets
from serve.listening import listen
from serve.worker_health.pulse import Pulse
from serve.worker_health.reach import Reach, reach_of
from stream.config import Config

_log = structlog.get_logger("riverrun.worker")

_CONNECTIONS = 32
_CLIENT_SECONDS = 5.0

Answer = tuple[HTTPStatus, dict[str, Any]]


@contextmanager
def healthy(config: Config, secrets: Secrets) -> Iterator[Pulse]:
    """Answer probes within the block, where the configuration asks for it.

    Parameters
    ----------
    config, secrets
        Of the stream.

    Yields
    ------
    Pulse
        Of the worker: its loops are to be heard in it.

    Raises
    ------
    CannotListenError
    """
    pulse = Pulse(config.worker.stuck_after, time.monotonic)
    if config.worker.health_port is None:
        yield pulse
        return
    reach = reach_of(config, secrets, time.monotonic)
    server = HealthServer(config.api.host, config.worker.health_port, pulse, reach)
    _log.info("health", url=server.url)
    reach.start()
    thread = Thread(target=server.serve_forever, name="riverrun-health", daemon=True)
    thread.start()
    try:
        yield pulse
    finally:
        reach.stop()
        server.shutdown()
        server.server_close()
        thread.join()


class HealthServer(ThreadingMixIn, HTTPServer):
    """Answers two questions, to a bounded number of clients at a time.

    Parameters
    ----------
    host, port
        Where it listens.
    pulse
        Whether the worker is alive.
    reach
        Whether its parts answer.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, pulse: Pulse, reach: Reach) -> None:
        listener = listen(host, port, "api.host and worker.health_port")
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self._pulse, self._reach = pulse, reach
        self._free = BoundedSemaphore(_CONNECTIONS)

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}"

    def answer(self, path: str) -> Answer:
        """Return the status and the body for a path."""
        if path == "/healthz":
            return _answer("alive", self._pulse.trouble)
        if path == "/readyz":
            parts = self._reach.parts()
            red = [f"{name}: {state}" for name, state in parts.items() if state != "ok"]
            troubles = [trouble for trouble in (self._pulse.trouble, *red) if trouble]
            return _answer("ready", "; ".join(troubles) or None, parts=parts)
        return _problem(HTTPStatus.NOT_FOUND, "not_found", "there are /healthz and /readyz")

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; whoever is one too many is sent away."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one client."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a probe that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: HealthServer
    timeout = _CLIENT_SECONDS
    server_version, sys_version = "riverrun", ""

    def do_GET(self) -> None:
        status, found = self.server.answer(self.path.partition("?")[0])
        body = msgspec.json.encode(found)
        kind = "application/json" if status == HTTPStatus.OK else "application/problem+json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name by which it is called

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Probes come every few seconds; none is worth a line."""


def _answer(state: str, trouble: str | None, **parts: Any) -> Answer:
    if trouble is None:
        return HTTPStatus.OK, {"status": state} | parts
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, f"not_{state}", trouble, **parts)


def _problem(status: HTTPStatus, kind: str, detail: str, **more: Any) -> Answer:
    about = {"type": f"urn:riverrun:problem:{kind}", "title": status.phrase}
    return status, about | {"status": int(status), "detail": detail} | more
