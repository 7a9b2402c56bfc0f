"""Whether the worker's log and store answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from threading import Event, Thread
from typing import Any

from serve.compose import Secrets, open_stream_log, open_stream_store
from stream.config import Config
from stream.errors import RiverrunError

_LOOK_SECONDS = 5.0
_SILENT_SECONDS = 30.0

Open = Callable[[ExitStack], Callable[[], Any]]
"""Opens something until the stack is closed; returns a question that raises without an answer."""


class Reach:
    """Asks each part every few seconds, in a thread of its own, over connections of its own.

    Parameters
    ----------
    opens
        By the name of a part.
    monotonic
        Seconds that only rise.
    """

    def __init__(self, opens: Mapping[str, Open], monotonic: Callable[[], float]) -> None:
        self._parts = [_Part(name, each, monotonic) for name, each in opens.items()]
        self._stopping = Event()

    def start(self) -> None:
        """Begin to ask."""
        for part in self._parts:
            name = f"riverrun-health-{part.name}"
            Thread(target=part.run, args=(self._stopping,), name=name, daemon=True).start()

    def stop(self) -> None:
        """Ask no more. Does not wait for an answer that is still to come."""
        self._stopping.set()

    def parts(self) -> dict[str, str]:
        """Return how each part is: ``ok``, or what is wrong with it."""
        return {part.name: part.state for part in self._parts}


class _Part:
    """One of them: a log that hangs keeps nobody from asking the store."""

    def __init__(self, name: str, open_it: Open, monotonic: Callable[[], float]) -> None:
        self.name = name
        self._open = open_it
        self._monotonic = monotonic
        self._told = "was not asked yet"
        self._at = monotonic()

    @property
    def state(self) -> str:
        silent = self._monotonic() - self._at
        if silent > _SILENT_SECONDS:
            return f"has not answered for {silent:,.0f} s"
        return self._told

    def run(self, stopping: Event) -> None:
        while not stopping.is_set():
            try:
                with ExitStack() as stack:
                    self._ask_until(stopping, self._open(stack))
            except Exception as error:  # noqa: BLE001 - a dead thread would say ok for ever
                known = isinstance(error, RiverrunError)
                self._told = str(error) if known else f"{type(error).__name__}: {error}"
                self._at = self._monotonic()
            stopping.wait(_LOOK_SECONDS)

    def _ask_until(self, stopping: Event, ask: Callable[[], Any]) -> None:
        while not stopping.is_set():
            ask()
            self._told, self._at = "ok", self._monotonic()
            stopping.wait(_LOOK_SECONDS)


def reach_of(config: Config, secrets: Secrets, monotonic: Callable[[], float]) -> Reach:
    """Return what asks the log and the store of a stream."""

    def log(stack: ExitStack) -> Callable[[], Any]:
        opened = open_stream_log(config, secrets)
        stack.callback(opened.close)
        return opened.topics

    def store(stack: ExitStack) -> Callable[[], Any]:
        opened = open_stream_store(config, secrets)
        stack.callback(opened.close)
        return opened.ping

    return Reach({"store": store, "log": log}, monotonic)
