"""Running the API: from a configuration to a server that stops cleanly."""

from __future__ import annotations

import gc
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import structlog
import uvicorn

from serve.api.app import DRAIN_SECONDS, create_app
from serve.api.auth.open_access import open_access, refuse_open_network
from serve.api.auth.tls import tls_context
from serve.api.connection import connection_with
from serve.api.served_stream import ServedStream
from serve.api.workers.share import Share
from serve.compose import Secrets, open_stream_log, open_stream_store, prepare_topics
from serve.listening import listen
from stream.clock import SystemClock
from stream.config import Config
from stream.errors import LogError
from stream.known_types import know_types
from stream.log import Log

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_log = structlog.get_logger("riverrun.api")

GRACE_SECONDS = 10
"""How long running requests may take when the server stops; recording has its own grace."""

_BACKLOG = 2048
_OPEN_FILES = 65_536


def run_api(
    config: Config,
    secrets: Secrets,
    ready: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    *,
    listener: socket.socket | None = None,
    share: Share | None = None,
    spans: TracerProvider | None = None,
) -> None:
    """Serve a stream until SIGTERM or SIGINT, or until ``should_stop``.

    Stops cleanly: running requests are answered, served predictions recorded, within
    ``GRACE_SECONDS`` and ``DRAIN_SECONDS``.

    Parameters
    ----------
    config, secrets
        Of the stream.
    ready
        Called with the base URL, in the event loop's thread, when requests are answered.
    should_stop
        Asked ten times a second; for a caller that runs this beside something else, in another
        thread, where signals do not come.
    listener
        A socket that listens already; by default one is opened where the configuration says.
    share
        What is shared with other processes on the same socket; None where this is the only one.
    spans
        Makes a span of each request, and is shut down at the end; None for none.

    Raises
    ------
    OpenToNetworkError, PortInUseError, CannotListenError
        Before anything else is opened.
    ConfigError, KeyFileError, LogError, StoreUnreachableError
    """
    know_types()
    with ExitStack() as opened:
        if spans is not None:
            opened.callback(spans.shutdown)
        refuse_open_network(config, secrets.api_keys)
        tls = tls_context(config.api)
        listener = listener or listen(config.api.host, config.api.port)
        opened.enter_context(listener)
        log = open_stream_log(config, secrets)
        opened.callback(_close, log)
        store = opened.enter_context(closing(open_stream_store(config, secrets)))
        prepare_topics(config, log)
        secret = secrets.signing or store.shared_secret()
        access = open_access(config, secrets.api_keys, secret, share)
        config = _sharing_answers(config, share)
        stream = ServedStream(config, log, store, SystemClock())
        # A second SIGINT ends the server without its lifespan; what was served is still recorded.
        opened.callback(stream.stop, DRAIN_SECONDS)
        allow_connections()
        if share is not None:
            ready = _also(share.say_ready, ready)
        server = ApiServer(
            create_app([stream], access=access, share=share, spans=spans),
            listener,
            ready,
            should_stop,
            tls=tls,
            trusted_proxies=config.api.trusted_proxies,
            head_seconds=config.api.body_timeout / 1000,
        )
        opened.enter_context(_signals_end_only_the_server())
        server.run()


class ApiServer(uvicorn.Server):
    """uvicorn on a socket that listens already.

    Parameters
    ----------
    app
        The application.
    listener
        Its socket, closed when the server stops.
    ready
        Called with the base URL when requests are answered.
    should_stop
        Asked ten times a second.
    tls
        What HTTPS is served with; None for HTTP.
    trusted_proxies
        Whose X-Forwarded-For and X-Forwarded-Proto are believed.
    head_seconds
        That a request's head may take to come in.
    """

    def __init__(
        self,
        app: object,
        listener: socket.socket,
        ready: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        trusted_proxies: Sequence[str] = (),
        head_seconds: float = 30.0,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,  # type: ignore[arg-type]
                ssl_context_factory=None if tls is None else lambda *_: tls,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
                loop="uvloop",
                http=connection_with(head_seconds),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                backlog=_BACKLOG,
            )
        )
        state = getattr(app, "state", None)
        self._end_streams: Callable[[], None] = getattr(state, "close_live", lambda: None)
        self.url = url_of(listener, tls is not None)
        self._listener = listener
        self._ready = ready
        self._should_stop = should_stop

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop. Blocks."""
        super().run(sockets=sockets or [self._listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        # What is there now stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        _log.info("listening", url=self.url)
        if self._ready is not None:
            self._ready(self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End open streams of live events, which would never end by themselves; then stop."""
        self._end_streams()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Return whether it is time to stop."""
        if self._should_stop is not None and self._should_stop():
            return True
        return await super().on_tick(counter)


def allow_connections() -> None:
    """Let this process have as many open files as the system lets it; each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _also(
    say_ready: Callable[[], None], ready: Callable[[str], None] | None
) -> Callable[[str], None]:
    def both(url: str) -> None:
        say_ready()
        if ready is not None:
            ready(url)

    return both


def _close(log: Log) -> None:
    try:
        log.close()
    except LogError as error:  # what it did not take was counted and answered for before
        _log.warning("log_not_closed", reason=str(error))


def _sharing_answers(config: Config, share: Share | None) -> Config:
    """Let the processes of one machine give the same id the same answer."""
    if share is None or config.api.remembered_file is not None or not config.api.remembered:
        return config
    api = config.api.model_copy(update={"remembered_file": str(share.answers)})
    return config.model_copy(update={"api": api})


def url_of(listener: socket.socket, is_tls: bool) -> str:
    """Return the base URL that a listening socket answers at."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if is_tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextmanager
def _signals_end_only_the_server() -> Iterator[None]:
    """Swallow SIGTERM and SIGINT around the server.

    uvicorn raises a signal that it was stopped by once more when it is done; the process would
    then die of it instead of leaving with 0.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
