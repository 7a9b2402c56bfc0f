"""What a process has used: its processor time, and its memory."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and of what it started and still runs."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
        children = [int(child) for task in tasks for child in task.read_text().split()]
    except FileNotFoundError:
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds(child) for child in children)


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process, in MB (10^6 bytes)."""
    return pages_to_megabytes(Path(f"/proc/{pid}/statm").read_text().split()[1])


def pages_to_megabytes(pages: str) -> float:
    """Return the MB of pages, as ``/proc`` counts them."""
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def environment() -> dict[str, str]:
    """Return that of a process which is to find riverrun."""
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
