"""The command line: composes everything, and is the only place that prints and configures logs."""

from __future__ import annotations

import os
import resource
import sys
from errno import EMFILE

_TOO_MANY = os.strerror(EMFILE)


def main() -> None:
    """Run ``riverrun`` with the arguments of this process, and leave with its exit code.

    0: fine. 1: drift or errors were found, nothing to show, or a bug (with a traceback). 2: a
    mistake in the configuration, an argument or a file. 3: the log, the store or a port cannot be
    had. 4: halted or fenced. 130: interrupted.
    """
    try:
        from serve.cli.app import app
        from serve.late_scipy import put_off

        put_off()
        app(prog_name="riverrun")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except (OSError, ImportError) as error:
        if _TOO_MANY not in str(error):
            raise
        sys.stderr.write(_advice(error))
        raise SystemExit(3) from None


def _advice(error: Exception) -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        f"Error: no file can be opened any more: this process may have {limit} open at a time "
        f"({error}). Raise the limit (ulimit -n, LimitNOFILE of its unit), and start again\n"
    )
