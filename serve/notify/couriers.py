"""The couriers of a stream: whom its configuration names, opened and stopped together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from serve.compose import Secrets
from serve.notify.courier import Courier
from serve.notify.receiver import Receiver
from stream.clock import Clock
from stream.config import Config
from stream.storage.store import Store

_GRACE_SECONDS = 2.0


def alert_receivers(config: Config, secrets: Secrets, clock: Clock) -> list[Receiver]:
    """Return whom a configuration wants told; nothing is connected yet.

    Raises
    ------
    ConfigError
        When a token cannot stand in a header.
    """
    alerts, name = config.alerts, config.stream.name
    found: list[Receiver] = []
    if alerts.webhook is None and alerts.alertmanager is None:
        return found
    # An HTTP client, which a stream without receivers does without.
    from serve.notify.alertmanager import PATH, Alertmanager
    from serve.notify.post import Poster, authorization_of
    from serve.notify.webhook import Webhook

    timeout = alerts.timeout / 1000
    if alerts.webhook is not None:
        token = authorization_of(secrets.webhook_token, "RIVERRUN_ALERTS_WEBHOOK_TOKEN")
        poster = Poster(alerts.webhook, timeout, token)
        found.append(Webhook(name, alerts, poster, clock, secrets.webhook_secret))
    if alerts.alertmanager is not None:
        token = authorization_of(secrets.alertmanager_token, "RIVERRUN_ALERTS_ALERTMANAGER_TOKEN")
        poster = Poster(alerts.alertmanager.rstrip("/") + PATH, timeout, token)
        found.append(Alertmanager(name, alerts, poster, clock))
    return found


@contextmanager
def delivering(config: Config, secrets: Secrets, store: Store, clock: Clock) -> Iterator[int]:
    """Within the block, whoever the configuration names is told of what happens.

    At its end what waits is tried once more, within the timeout of a request; the rest waits in
    the store.

    Parameters
    ----------
    config, secrets
        Of the stream.
    store
        Where happenings and the outbox are.
    clock
        The machine's, but in tests.

    Yields
    ------
    int
        How many receivers there are.

    Raises
    ------
    ConfigError, StoreUnreachableError
    """
    alerts = config.alerts
    receivers = alert_receivers(config, secrets, clock)
    if config.mlflow.tracking_uri is not None:
        from serve.notify.mlflow_mirror import MlflowMirror

        receivers.append(MlflowMirror(config, store))
    couriers = [
        Courier(
            store.outbox,
            receiver,
            clock,
            max_age_seconds=alerts.max_age / 1000,
            queue=alerts.queue,
        )
        for receiver in receivers
    ]
    grace = alerts.timeout / 1000 + _GRACE_SECONDS
    try:
        for courier in couriers:
            courier.start()
        yield len(couriers)
    finally:
        for courier in couriers:
            courier.ask_to_stop(grace)
        for courier in couriers:
            courier.stop(grace)
