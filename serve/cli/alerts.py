"""``riverrun alerts``: try whom the configuration names, see what they were told, deliver."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve.cli.console import output, print_json
from serve.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    LogFormat,
    LogFormatOption,
    LogLevel,
    LogLevelOption,
)

if TYPE_CHECKING:
    from serve.compose import Secrets
    from stream.config import Config

_LOOK_EVERY_SECONDS = 0.1


def alerts_test(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Send a test alert to the webhook and to Alertmanager, now.

    Says of each whether it was accepted, and leaves with 3 where one was not. Needs no worker and
    touches no store.
    """
    from serve.notify.alerts import alert, plain
    from serve.notify.couriers import alert_receivers
    from serve.notify.receiver import UndeliveredError
    from stream.clock import SystemClock
    from stream.errors import ConfigError, Problem

    settings, secrets = _load(config)
    clock = SystemClock()
    receivers = alert_receivers(settings, secrets, clock)
    if not receivers:
        problem = Problem("alerts", "nobody to tell", "set alerts.webhook or alerts.alertmanager")
        raise ConfigError(str(config), [problem])
    now, name = clock.now(), settings.stream.name
    one = plain(alert(name, "test", f"{now:.0f}", now, f"A test alert of {name}.", {}))
    failures: dict[str, str | None] = {}
    for receiver in receivers:
        try:
            receiver.send(one)
            failures[receiver.name] = None
        except UndeliveredError as error:
            failures[receiver.name] = str(error)
        receiver.close()
    if as_json:
        print_json({"id": one["id"], "receivers": failures})
    else:
        for name, failure in failures.items():
            typer.echo(f"{name}: {failure or 'accepted'}")
    if any(failures.values()):
        raise typer.Exit(UndeliveredError.exit_code)


def alerts_list(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show what holds now, and how many messages each receiver got.

    Counts are of the whole life of the store: sent, tries that failed, given up, and waiting.
    """
    from contextlib import closing

    from serve.compose import open_stream_store
    from serve.notify.alerts import moment, standing
    from serve.status_reading import NoCheckpointError, deliveries_of, missing_file

    settings, secrets = _load(config)
    if (path := missing_file(settings.stream.store)) is not None:
        raise NoCheckpointError(f"{path} does not exist: no worker has run here yet")
    with closing(open_stream_store(settings, secrets)) as store:
        deliveries = deliveries_of(store)
        held = {
            alert.id: alert
            for receiver in deliveries
            for alert in standing(store.outbox.state(receiver)).values()
        }
    if as_json:
        print_json({"standing": list(held.values()), "deliveries": deliveries})
        return
    for alert in held.values():
        since = moment(alert.started_at)
        typer.echo(f"{alert.severity} {alert.kind} since {since}: {alert.summary}")
    if not held:
        typer.echo("nothing is wrong that was told")
    _show(deliveries)


def alerts_send(
    config: ConfigOption = DEFAULT_CONFIG,
    once: Annotated[bool, typer.Option("--once", help="Try once, then leave.")] = False,
    log_level: LogLevelOption = LogLevel.INFO,
    log_format: LogFormatOption = LogFormat.AUTO,
) -> None:
    """Deliver what waits, beside a worker or without one, until SIGTERM or Ctrl-C.

    A worker delivers by itself while it runs. This one goes on where the worker has stopped, and
    so is the one to run where a halt must be told whatever happens to the worker.
    """
    from contextlib import closing

    from serve.cli.logs import configure_logs
    from serve.cli.signals import stopping
    from serve.compose import open_stream_store
    from serve.notify.couriers import delivering
    from serve.notify.receiver import UndeliveredError
    from serve.status_reading import deliveries_of
    from stream.clock import SystemClock

    settings, secrets = _load(config)
    configure_logs(log_level, log_format, process="alerts")
    clock = SystemClock()
    with (
        stopping() as asked,
        closing(open_stream_store(settings, secrets)) as store,
    ):
        with delivering(settings, secrets, store, clock):
            while not (asked() or once):
                time.sleep(_LOOK_EVERY_SECONDS)
        waiting = sum(found["waiting"] for found in deliveries_of(store).values())
    if once and waiting:
        raise UndeliveredError(f"{waiting:,} messages still wait; see 'riverrun alerts list'")


def _load(config: Path) -> tuple[Config, Secrets]:
    from serve.cli.logs import configure_logs
    from serve.compose import read_secrets
    from stream.load_config import load_config

    configure_logs(LogLevel.WARNING)
    return load_config(config), read_secrets(os.environ)


def _show(deliveries: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 3, 0, 0))
    for title in ("receiver", "sent", "failed", "dropped", "waiting", "last error"):
        table.add_column(title, overflow="fold")
    for name, found in deliveries.items():
        counts = [f"{found[key]:,}" for key in ("sent", "failed", "dropped", "waiting")]
        table.add_row(name, *counts, found["last_error"] or "-")
    if deliveries:
        output().print(table)
