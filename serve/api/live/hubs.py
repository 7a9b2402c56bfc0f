"""The live events of all streams of an application: their end, and their metrics."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from serve.api.live.hub import LiveHub
from serve.api.served_stream import ServedStream, Streams


class LiveHubs:
    """One hub for each stream.

    Parameters
    ----------
    streams
        That are served.
    """

    def __init__(self, streams: Streams) -> None:
        self._by_name = {stream.name: LiveHub(stream) for stream in streams}

    def of(self, stream: ServedStream) -> LiveHub:
        """Return the hub of a stream."""
        return self._by_name[stream.name]

    def close(self) -> None:
        """End all streams of events. Call it in the event loop's thread."""
        for hub in self._by_name.values():
            hub.close()

    def families(self) -> Iterator[Metric]:
        """Return who looks, who was told to reload, and who found no room."""
        viewers = GaugeMetricFamily(
            "riverrun_live_viewers", "Viewers of live events", labels=["stream"]
        )
        reloads = CounterMetricFamily(
            "riverrun_live_reloads",
            "Times that a viewer was told to read anew",
            labels=["stream", "reason"],
        )
        refused = CounterMetricFamily(
            "riverrun_live_refused", "Viewers that found no room", labels=["stream"]
        )
        for name, hub in self._by_name.items():
            viewers.add_metric([name], len(hub))
            refused.add_metric([name], hub.refused)
            for reason, count in hub.reloads.items():
                reloads.add_metric([name, reason], count)
        yield from (viewers, reloads, refused)
