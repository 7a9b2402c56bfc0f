"""What Prometheus is told: by this process alone, or for all that serve on the same socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import chain

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from serve.api.metrics import StreamMetrics
from serve.api.served_stream import Streams
from serve.api.workers.share import Share
from serve.api.workers.shared_metrics import SharedMetrics

_PUBLISH_SECONDS = 0.5


class Exposition:
    """The metrics of an application.

    Parameters
    ----------
    streams
        That it serves.
    share
        What it shares with other processes; None where it is alone.

    Attributes
    ----------
    counted
        Where requests are counted as they come.
    """

    def __init__(self, streams: Streams, share: Share | None) -> None:
        self.counted = CollectorRegistry()
        self._streams = streams
        self._stored = StreamMetrics(streams)
        self._own: list[Callable[[], Iterable[Metric]]] = [self._stored.of_process]
        self._shared = None if share is None else SharedMetrics(share, self._of_process)
        if self._shared is None:
            self.counted.register(_Families(self._of_process))
            self.counted.register(self._stored)
            self._told = self.counted
        else:
            self._told = self._shared.registry(self._stored)

    def add(self, families: Callable[[], Iterable[Metric]]) -> None:
        """Tell more of what this process knows of itself."""
        self._own.append(families)

    async def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        if self._shared is not None:
            # Another process may have told of a newer checkpoint: counters never fall.
            await asyncio.gather(*(asyncio.to_thread(one.models.poll) for one in self._streams))
        return generate_latest(self._told)

    async def publish(self) -> None:
        """Let the other processes know of this one, again and again."""
        while self._shared is not None:
            self._shared.publish()
            await asyncio.sleep(_PUBLISH_SECONDS)

    def publish_last(self) -> None:
        """Let the others know what this process did to its end."""
        if self._shared is not None:
            self._shared.publish()

    def _of_process(self) -> Iterable[Metric]:
        return chain.from_iterable(families() for families in self._own)


class _Families(Collector):
    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families()
