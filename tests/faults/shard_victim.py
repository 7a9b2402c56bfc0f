"""A worker of a divided stream, as a process of the fault tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import structlog

import stream.turn_size as turn_size
from serve.cli.signals import stopping
from serve.compose import Secrets
from serve.crew import opened_crew
from stream.errors import RiverrunError
from stream.tracing import Untraced
from tests.lines import make_config


def main(arguments: dict[str, Any], sections: dict[str, Any], errors: str) -> None:
    """Work until told to stop, and leave with the command line's exit code.

    Parameters
    ----------
    arguments
        ``told``: a file for its log lines. ``until_caught_up``: leave where the log ends.
    sections
        Of the configuration.
    errors
        A file for the message of what a person would be told.
    """
    out = Path(arguments["told"]).open("a", buffering=1)  # noqa: SIM115  # as long as the process
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(out),
    )
    turn_size._LARGEST = 40  # so that a batch of records takes many turns, and commits
    ends = arguments.get("until_caught_up", False)
    config = make_config(**sections)
    with stopping() as asked:
        try:
            with opened_crew(config, Secrets(), "here", Untraced, until_caught_up=ends) as opened:
                opened.crew.run(asked, opened.is_read if ends else None)
        except RiverrunError as error:
            Path(errors).write_text(str(error))
            sys.exit(error.exit_code)
