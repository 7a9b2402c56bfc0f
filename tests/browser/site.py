"""The API under test: real streams on one port that it keeps over a restart."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread

from serve.api.app import create_app
from serve.api.auth.access import Access
from serve.api.run_api import ApiServer, listen
from tests.serve.conftest import World, eventually


class Site:
    """A server that can be stopped and started again.

    Parameters
    ----------
    worlds
        The streams that it serves.
    access
        Who may use it; everybody by default.
    """

    def __init__(self, worlds: Sequence[World], access: Access | None = None) -> None:
        self.worlds = list(worlds)
        self._access = access
        self._port = 0
        self._stops: list[bool] = []
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve, on the port from before."""
        listener = listen("127.0.0.1", self._port)
        self._port = listener.getsockname()[1]
        self._stops = stops = []
        app = create_app([one.served() for one in self.worlds], access=self._access)
        server = ApiServer(app, listener, should_stop=lambda: bool(stops))
        self._thread = Thread(target=server.run)
        self._thread.start()
        eventually(lambda: server.started)

    def stop(self) -> None:
        """Stop as SIGTERM does."""
        self._stops.append(True)
        if self._thread is not None:
            self._thread.join(20)
            assert not self._thread.is_alive(), "open streams kept the server from stopping"
            self._thread = None
