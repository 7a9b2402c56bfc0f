"""Real streams: New South Wales electricity (elec2), and shared bicycles by the hour.

elec2: vicprice, vicdemand and transfer are constant up to row 17,424 and vary from then on. The
monitor, with its defaults, makes its reference of the first 10,000 rows, and `panes_after` counts
panes of 1,000 from the one in which that row lies, which is 1; below 1 is before the change.
Bicycles: 2011 is the reference. `whole_year` is one comparison with all of 2012; the last columns
are of the panes of 2012 in turn, about six weeks each, so that a pane differs from the whole year
2011 by its season too.
"""

from __future__ import annotations

import csv
import gzip
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitor import Monitor

CHANGE = 17_424
REFERENCE, PANE = 10_000, 1_000
WANTED = ("vicprice", "vicdemand", "transfer")
BIKE_NUMBERS = ("temp", "atemp", "hum", "windspeed", "cnt")
BIKE_CATEGORIES = ("season", "mnth", "hr", "holiday", "weekday", "workingday", "weathersit")


def data() -> Path:
    """Return the folder of the data, which need not exist."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    return Path(os.environ.get("RIVERRUN_DATA", beside))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def elec2() -> list[dict[str, Any]]:
    """Return when each feature was first named; empty without the data."""
    path = data() / "elec2.csv.gz"
    if not path.exists():
        return []
    sys.stderr.write("real: elec2\n")
    events = [
        {k: float(v) for k, v in row.items() if k not in ("date", "class")} | {"day": row["day"]}
        for row in _rows(path)
    ]
    closed = Monitor().observe(events).panes
    first = (CHANGE - REFERENCE) // PANE
    result = []
    for name in events[0]:
        named = [p.index for p in closed if p.report and name in p.report.alarms]
        again = [at for at in named if at >= first]
        result.append(
            {
                "feature": name,
                "wanted": "yes" if name in WANTED else "",
                "panes_after": again[0] - first + 1 if again else "never",
                "panes_in_alarm_before": sum(at < first for at in named),
                "of_panes_before": first,
                "panes_in_alarm_after": len(again),
                "of_panes_after": len(closed) - first,
            }
        )
    return result


def bikes() -> list[dict[str, Any]]:
    """Return what is said of each feature of 2012 against 2011; empty without the data."""
    path = data() / "bike_sharing_hourly.csv.gz"
    if not path.exists():
        return []
    sys.stderr.write("real: bike_sharing_hourly\n")
    years: dict[str, list[dict[str, Any]]] = {"0": [], "1": []}
    for row in _rows(path):
        event: dict[str, Any] = {name: row[name] for name in BIKE_CATEGORIES}
        years[row["yr"]].append(event | {name: float(row[name]) for name in BIKE_NUMBERS})
    monitor = Monitor().fit(years["0"])
    whole = monitor.compare(years["1"])
    closed = monitor.observe(years["1"]).panes
    order = [entry.name for entry in whole.blame]
    result = []
    for name in order:
        column = whole.by_column["feature", name][0]
        named = [p.index + 1 for p in closed if p.report and name in p.report.alarms]
        moved = column.wasserstein
        result.append(
            {
                "feature": name,
                "whole_year": column.status,
                "place_in_blame": order.index(name) + 1,
                "ratio": round(column.ratio, 2),
                "wasserstein": "" if moved is None else round(moved, 3),
                "js": round(column.js, 3),
                "first_pane_in_alarm": named[0] if named else "never",
                "panes_in_alarm": f"{len(named)} of {len(closed)}",
            }
        )
    return result
