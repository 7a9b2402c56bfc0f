"""Prometheus' Alertmanager: alerts that hold until they are over, by its API v2."""

from __future__ import annotations

from typing import Any

import msgspec

from serve.notify.alerts import KINDS, Alert, choosing, moment, read_alert, standing
from serve.notify.post import Poster
from stream.clock import Clock
from stream.storage.outbox import Choose
from stream.telling_sections import AlertsSection

PATH = "/api/v2/alerts"
LASTS_SECONDS = 7 * 86_400.0
"""How long what holds goes on without another word, so that a dead worker does not end it."""
EVENT_SECONDS = 3_600.0
"""How long what has merely happened is shown."""
_DETAIL_LENGTH = 4_000


class Alertmanager:
    """Posts alerts to an Alertmanager.

    It forgets what it was told when it starts anew: what holds is said again every minute.

    Parameters
    ----------
    stream
        Whose alerts they are.
    config
        The section ``[alerts]``.
    poster
        To its address with ``PATH``.
    clock
        For when an alert ends.
    """

    name = "alertmanager"

    def __init__(self, stream: str, config: AlertsSection, poster: Poster, clock: Clock) -> None:
        self.choose: Choose = choosing(stream, config.on)
        self._poster = poster
        self._clock = clock

    def send(self, data: dict[str, Any]) -> None:
        """Post one alert.

        Raises
        ------
        UndeliveredError, RefusedError
        """
        self._post([read_alert(data)])

    def repeat(self, state: dict[str, Any]) -> bool:
        """Post what holds once more.

        Raises
        ------
        UndeliveredError
        """
        held = list(standing(state).values())
        if held:
            self._post(held)
        return bool(held)

    def close(self) -> None:
        """Let go of the connection."""
        self._poster.close()

    def _post(self, alerts: list[Alert]) -> None:
        now = self._clock.now()
        self._poster.post(msgspec.json.encode([payload(alert, now) for alert in alerts]))


def payload(alert: Alert, now: float) -> dict[str, Any]:
    """Return an alert as the API v2 wants it.

    Parameters
    ----------
    alert
        The alert.
    now
        Seconds since the epoch.

    Examples
    --------
    >>> from serve.notify.alerts import alert
    >>> told = payload(alert("s", "promoted", "run/1", 0.0, "v2 is better.", {}, "v2"), now=60.0)
    >>> told["labels"]
    {'alertname': 'RiverrunPromoted', 'stream': 's', 'severity': 'info', 'version': 'v2'}
    >>> told["startsAt"], told["endsAt"]
    ('1970-01-01T00:00:00.000Z', '1970-01-01T01:01:00.000Z')
    """
    kind = KINDS[alert.kind]
    labels = {"alertname": kind.name, "stream": alert.stream, "severity": alert.severity}
    if alert.version:
        labels["version"] = alert.version
    ends = alert.ended_at
    if ends is None:
        ends = now + (LASTS_SECONDS if kind.lasts else EVENT_SECONDS)
    detail = msgspec.json.encode(alert.detail).decode()
    return {
        "labels": labels,
        "annotations": {
            "summary": alert.summary,
            "id": alert.id,
            "detail": detail[:_DETAIL_LENGTH],
            "runbook_url": kind.runbook,
        },
        "startsAt": moment(alert.started_at),
        "endsAt": moment(ends),
    }
