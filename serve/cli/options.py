"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class LogLevel(StrEnum):
    """The least important log lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How log lines look; ``auto`` is console on a terminal and JSON elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


DEFAULT_CONFIG = Path("riverrun.toml")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
LogLevelOption = Annotated[LogLevel, typer.Option("--log-level", help="Least important log lines.")]
LogFormatOption = Annotated[
    LogFormat,
    typer.Option("--log-format", help="How log lines look; auto: JSON unless on a terminal."),
]
ParentOption = Annotated[
    bool,
    typer.Option("--stop-with-parent", hidden=True, help="Stop when standard input is closed."),
]
