"""``riverrun api``: answers over HTTP from the latest model."""

from __future__ import annotations

import os

from serve.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    LogFormat,
    LogFormatOption,
    LogLevel,
    LogLevelOption,
    ParentOption,
)


def api(
    config: ConfigOption = DEFAULT_CONFIG,
    log_level: LogLevelOption = LogLevel.INFO,
    log_format: LogFormatOption = LogFormat.AUTO,
    stop_with_parent: ParentOption = False,
) -> None:
    """Serve predictions, status and metrics over HTTP.

    It listens where [api] of the configuration says, and logs the address. SIGTERM and Ctrl-C end
    it after the requests that are running.
    """
    from serve.cli.logs import configure_logs
    from serve.cli.signals import stop_with_parent as watch_parent
    from serve.cli.signals import stopping
    from serve.compose import read_secrets
    from stream.load_config import load_config

    configure_logs(log_level, log_format, process="api")
    with stopping() as asked:
        if stop_with_parent:
            watch_parent()
        settings = load_config(config)
        secrets = read_secrets(os.environ)
        from serve.api.run_api import run_api

        run_api(settings, secrets, should_stop=asked)
