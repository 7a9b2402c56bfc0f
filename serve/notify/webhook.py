"""A webhook: each alert is posted as JSON, signed as Standard Webhooks has it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import msgspec

from serve.notify.alerts import KINDS, Alert, choosing, moment, read_alert
from serve.notify.post import Poster
from stream.clock import Clock
from stream.storage.outbox import Choose
from stream.telling_sections import AlertsSection


class Webhook:
    """Posts alerts to a person's own address.

    Parameters
    ----------
    stream
        Whose alerts they are.
    config
        The section ``[alerts]``.
    poster
        To the webhook's address.
    clock
        For the time that is signed.
    secret
        Signs what is posted; None for no signature.
    """

    name = "webhook"

    def __init__(
        self,
        stream: str,
        config: AlertsSection,
        poster: Poster,
        clock: Clock,
        secret: bytes | None = None,
    ) -> None:
        self.choose: Choose = choosing(stream, config.on)
        self._poster = poster
        self._clock = clock
        self._secret = secret

    def send(self, data: dict[str, Any]) -> None:
        """Post one alert.

        Raises
        ------
        UndeliveredError, RefusedError
        """
        alert = read_alert(data)
        body = msgspec.json.encode(payload(alert))
        headers = {"webhook-id": alert.id, "webhook-timestamp": str(int(self._clock.now()))}
        if self._secret is not None:
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            headers["webhook-signature"] = f"v1,{signature(self._secret, signed)}"
        self._poster.post(body, headers)

    def repeat(self, state: dict[str, Any]) -> bool:
        """Nothing: what was accepted once is known."""
        return False

    def close(self) -> None:
        """Let go of the connection."""
        self._poster.close()


def payload(alert: Alert) -> dict[str, Any]:
    """Return what is posted of an alert."""
    ended = None if alert.ended_at is None else moment(alert.ended_at)
    data: dict[str, Any] = msgspec.to_builtins(alert)
    times = {"started_at": moment(alert.started_at), "ended_at": ended}
    return data | times | {"runbook_url": KINDS[alert.kind].runbook}


def signature(secret: bytes, signed: bytes) -> str:
    """Return the HMAC of what is signed, as text.

    Examples
    --------
    >>> signature(b"secret", b"id.0.{}")
    'E1dgkCf/zWJwoqyLX4JX4msjlpeuuY59/nLUxawMaKQ='
    """
    return base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
