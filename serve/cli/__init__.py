"""The command line: composes everything, and is the only place that prints and configures logs."""

from __future__ import annotations


def main() -> None:
    """Run ``riverrun`` with the arguments of this process, and leave with its exit code.

    0: fine. 1: drift or errors were found, nothing to show, or a bug (with a traceback). 2: a
    mistake in the configuration, an argument or a file. 3: the log, the store or a port cannot be
    had. 4: halted or fenced. 130: interrupted.
    """
    try:
        from serve.cli.app import app

        app(prog_name="riverrun")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
