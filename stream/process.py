"""What the system knows of this process."""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path

_PAGE = resource.getpagesize()


def owner() -> str:
    """Return what this process claims a shard as: its host and number, with a colon between."""
    return f"{socket.gethostname()}:{os.getpid()}"


def resident_bytes() -> int | None:
    """Return the memory of this process that is in use; None where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None


def processor_seconds() -> float:
    """Return the processor time that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
