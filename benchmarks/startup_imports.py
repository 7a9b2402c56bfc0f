"""What the imports of a worker cost, in time and in memory: measured in processes of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from statistics import median
from typing import Any

from benchmarks.processes import environment, pages_to_megabytes

Row = dict[str, Any]


def import_breakdown() -> list[Row]:
    """Return what the imports of a worker take, by package: milliseconds of its own code."""
    command = [sys.executable, "-X", "importtime", "-c", _WORKER_IMPORTS]
    runs = [_import_times(command) for _ in range(5)]
    names = sorted(runs[0], key=lambda name: -median(run.get(name, 0.0) for run in runs))
    total = median(sum(run.values()) for run in runs)
    table: list[Row] = [
        {"package": name, "milliseconds": round(median(run.get(name, 0.0) for run in runs))}
        for name in names[:9]
    ]
    shown = sum(int(row["milliseconds"]) for row in table)
    return [*table, {"package": "everything else", "milliseconds": round(total) - shown}]


_LATE = "from serve.late_scipy import put_off; put_off()"
_WORKER_IMPORTS = (
    f"{_LATE}; import serve.cli.worker, serve.compose, serve.notify.couriers, serve.training, "
    "stream.build, stream.worker, stream.logs.sqlite_log; "
    "from river import linear_model, preprocessing"
)


def _import_times(command: list[str]) -> dict[str, float]:
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    found: dict[str, float] = {}
    for line in ran.stderr.splitlines():
        if (match := re.match(r"import time: +(\d+) \| +\d+ \| +([\w.]+)", line)) is not None:
            package = match[2].partition(".")[0]
            found[package] = found.get(package, 0.0) + int(match[1]) / 1e3
    return found


def memory_breakdown() -> list[Row]:
    """Return what a process holds after importing step by step, in MB."""
    table, code = [], ""
    for title, step in (
        ("Python", "pass"),
        ("and NumPy", "import numpy"),
        ("and River with what it imports, SciPy's stats, ndimage and integrate put off", _RIVER),
        ("and SQLAlchemy, pydantic, structlog", "import sqlalchemy, pydantic_settings, structlog"),
        ("and riverrun's worker", _WORKER_IMPORTS),
        (
            "and what was put off, when it is used",
            "import scipy; scipy.stats.norm, scipy.ndimage.shift",
        ),
    ):
        code += step + "\n"
        tell = f"{code}print(open('/proc/self/statm').read().split()[1])"
        ran = subprocess.run(
            [sys.executable, "-c", tell], capture_output=True, text=True, check=True,
            env=environment(),
        )  # fmt: skip
        table.append({"imported": title, "megabytes": round(pages_to_megabytes(ran.stdout), 1)})
    return table


_RIVER = f"{_LATE}; from river import drift, linear_model, metrics, preprocessing"
