"""``python -m benchmarks.monitor_bench``: measure the monitor, beside its peers.

Writes ``docs/monitoring-benchmarks.md`` and its JSON. Peers are installed once, each into an
environment of its own under ``.cache/bench``. With ``--only`` the other sections stay as they were
in the JSON; without any name, the page is written anew of it.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import (
    monitor_cost,
    monitor_document,
    monitor_false_alarms,
    monitor_false_alarms_peers,
    monitor_power,
    monitor_real,
    monitor_speed,
)
from benchmarks.__main__ import machine, markdown
from benchmarks.monitor_environments import Peer, peers
from benchmarks.monitor_shifts import PATTERNS

DOCS = Path(__file__).parents[1] / "docs"
NAME = "monitoring-benchmarks"
Tables = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """What a section is given: the peers, and whether it should be quick."""

    peers: dict[str, Peer]
    quick: bool


Section = Callable[[Run], Tables]


def speed(run: Run) -> Tables:
    """Return seconds of one report."""
    table, methods = monitor_speed.compare(run.peers, 3 if run.quick else 9)
    return {"speed": table, "evidently_methods": methods}


def cost(run: Run) -> Tables:
    """Return the extra time in the worker."""
    return {"cost": monitor_cost.compare(*((10_000, 3) if run.quick else (30_000, 7)))}


def alarms(run: Run) -> Tables:
    """Return false alarms over the budget."""
    return {"false_alarms": monitor_false_alarms.compare(0.04 if run.quick else 1.0)}


def beside(run: Run) -> Tables:
    """Return alarms on independent streams, beside the peers'."""
    share, features_max = (0.2, 50) if run.quick else (1.0, 500)
    found = monitor_false_alarms_peers.on_independent(run.peers, share, features_max)
    return {"beside": found}


def autocorrelated(run: Run) -> Tables:
    """Return alarms on autocorrelated streams, beside the peers'."""
    share = 0.2 if run.quick else 1.0
    return {"autocorrelated": monitor_false_alarms_peers.on_autocorrelated(run.peers, share)}


def power(run: Run) -> Tables:
    """Return delays and misses."""
    plan = (3, 1, PATTERNS[:1]) if run.quick else (8, 1, PATTERNS)
    table, rates = monitor_power.compare(run.peers, *plan)
    return {"power": table, "power_rates": rates}


def real(_: Run) -> Tables:
    """Return what is found in data of the world; empty tables without it."""
    return {"elec2": monitor_real.elec2(), "bikes": monitor_real.bikes()}


SECTIONS: dict[str, Section] = {
    section.__name__: section
    for section in (speed, cost, alarms, beside, autocorrelated, power, real)
}


def main() -> int:
    """Run the sections, print ratios first, and write what was seen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.monitor_bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about 3 minutes, fewer repetitions")
    parser.add_argument(
        "--only", nargs="*", default=list(SECTIONS), help="of " + ", ".join(SECTIONS)
    )
    parser.add_argument("--output", type=Path, default=DOCS)
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")

    path = arguments.output / f"{NAME}.json"
    results: Tables = json.loads(path.read_text()) if path.exists() else {}
    results |= {"machine": machine(), "scipy": _scipy(), "python": platform.python_version()}
    took = results.setdefault("sections", {})
    with peers() as started:
        results["peers"] = {name: peer.versions() or peer.why for name, peer in started.items()}
        for name in arguments.only:
            begun = time.perf_counter()
            tables = SECTIONS[name](Run(started, arguments.quick))
            results |= tables
            took[name] = {
                "mode": "quick" if arguments.quick else "full",
                "seconds": round(time.perf_counter() - begun),
            }
            for title, table in tables.items():
                if table and isinstance(table[0], dict):
                    sys.stdout.write(f"\n{title}\n{markdown(table)}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n")
    (arguments.output / f"{NAME}.md").write_text(monitor_document.document(results))
    sys.stderr.write(f"wrote {NAME}.md and {NAME}.json\n")
    return 0


def _scipy() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy"))


if __name__ == "__main__":
    sys.exit(main())
