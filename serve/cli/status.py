"""``riverrun status``: how a stream is, by its newest checkpoint."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from serve.cli.console import output, print_json
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel

if TYPE_CHECKING:
    from serve.compose import Secrets
    from stream.config import Config


def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show counts, labels, scores and lag, by the newest checkpoint.

    Leaves with 1 where there is no checkpoint yet. Where the log cannot be reached, it says so
    instead of the lag.
    """
    from serve.cli.logs import configure_logs
    from serve.cli.status_view import status_view
    from serve.compose import read_secrets
    from serve.status_reading import (
        deliveries_of,
        lag_of,
        monitor_details,
        newest_of,
        shown_status,
        store_to_read,
    )
    from stream.load_config import load_config

    configure_logs(LogLevel.WARNING)
    settings = load_config(config)
    secrets = read_secrets(os.environ)
    if settings.stream.shards == "partition":
        _show_shards(settings, secrets, as_json)
        return
    with store_to_read(settings, secrets) as store:
        stored = newest_of(store, settings)
        shown = shown_status(stored, time.time())
        if shown.get("monitor") is not None:
            shown["monitor"] = shown["monitor"] | monitor_details(store, stored)
        shown["deliveries"] = deliveries_of(store)
    shown |= lag_of(settings, secrets, stored.offsets)
    if as_json:
        print_json(shown)
    else:
        output().print(status_view(shown))


def _show_shards(settings: Config, secrets: Secrets, as_json: bool) -> None:
    from serve.cli.shards_view import shards_view
    from serve.shards import shards_of, status_of_shards, status_of_whole
    from serve.status_reading import deliveries_of, lag_of, monitor_details, store_to_read

    with store_to_read(settings, secrets) as store:
        now = time.time()
        shown = status_of_shards(settings, shards_of(store, settings), now)
        whole = store.newest()
        shown |= status_of_whole(whole, now)
        if whole is not None and shown["monitor"] is not None:
            shown["monitor"] = shown["monitor"] | monitor_details(store, whole)
        shown["deliveries"] = deliveries_of(store)
    shown |= lag_of(settings, secrets, shown["offsets"])
    if as_json:
        print_json(shown)
    else:
        output().print(shards_view(shown))
