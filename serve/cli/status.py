"""``riverrun status``: how a stream is, by its newest checkpoint."""

from __future__ import annotations

import os
import time

from serve.cli.console import output, print_json
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel


def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show counts, labels, scores and lag, by the newest checkpoint.

    Leaves with 1 where there is no checkpoint yet. Where the log cannot be reached, it says so
    instead of the lag.
    """
    from serve.cli.logs import configure_logs
    from serve.cli.status_view import status_view
    from serve.compose import read_secrets
    from serve.status_reading import lag_of, newest_checkpoint, read_deliveries, shown_status
    from stream.load_config import load_config

    configure_logs(LogLevel.WARNING)
    settings = load_config(config)
    secrets = read_secrets(os.environ)
    stored = newest_checkpoint(settings, secrets)
    shown = shown_status(stored, time.time()) | lag_of(settings, secrets, stored)
    shown["deliveries"] = read_deliveries(settings, secrets)
    if as_json:
        print_json(shown)
    else:
        output().print(status_view(shown))
