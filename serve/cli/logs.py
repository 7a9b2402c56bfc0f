"""Logs: structlog and the standard library's, in one form, on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from serve.cli.options import LogFormat, LogLevel
from serve.cli.printable import printable

_QUIET = {
    "kafka": logging.CRITICAL,  # every connection, and every refusal before riverrun tells of it
    "librdkafka": logging.CRITICAL,  # every reconnection, as an error
    "uvicorn.access": logging.WARNING,  # every request
}
"""Loggers that tell too much, and the level that they begin at unless debugging."""

_AS_THEY_ARE = ("event", "exception", "stack")
_LONGEST = 2_000


def configure_logs(
    level: LogLevel, log_format: LogFormat = LogFormat.AUTO, process: str | None = None
) -> None:
    """Send all logs to standard error.

    Parameters
    ----------
    level
        The least important lines that are written.
    log_format
        Lines for people or JSON.
    process
        Added to every line, to tell the worker's from the API's.
    """
    on_terminal = sys.stderr.isatty()
    as_json = log_format is LogFormat.JSON or (log_format is LogFormat.AUTO and not on_terminal)
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
    ]
    if process is not None:
        shared.insert(0, _naming(process))
    ending = _ending(as_json, on_terminal)
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        # Standard error is looked up anew for each line: a live display replaces it.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = _StderrHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(number if number <= logging.DEBUG else max(number, quiet))


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


def _naming(process: str) -> Any:
    def name_process(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {"process": process, **event}

    return name_process


def _ending(as_json: bool, colors: bool) -> list[Any]:
    if as_json:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=plain, sort_keys=False
    )
    return [_readable, renderer]


def _readable(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Write lists as people do; no value moves the cursor, whoever chose it."""
    for key, value in event.items():
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        if isinstance(text, str) and key not in _AS_THEY_ARE:
            lines = (line.strip() for line in text.splitlines())
            event[key] = printable("; ".join(filter(None, lines)), _LONGEST)
    return event
