"""``make bench``: run the benchmarks, print ratios first, write ``docs/benchmarks.md`` and JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import (
    api_speed,
    end_to_end,
    kept_predictions,
    memory,
    monitor_in_line,
    quick,
    serving_staleness,
)
from benchmarks.brokers import brokers
from benchmarks.pages import others

DOCS = Path(__file__).parents[1] / "docs"

PREFACE = """# Benchmarks

Written by `make bench`; every figure below was seen in the run that is named here, on a machine
that is shared and noisy: compare within a table, not between runs. The two sides of a ratio ran in
turn, in one process; medians of {repeats} repeats.

{machine}
"""


def main() -> int:
    """Run everything, and write what was seen."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--events", type=int, default=60_000, help="of the fastest pipeline")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--broker", help="also over this Kafka, by each client; 'local' starts the pinned one"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a minute; fails where a ratio is far below the stated"
    )
    parser.add_argument(
        "--document", action="store_true", help="write the page anew from what was measured"
    )
    parser.add_argument("--output", type=Path, default=DOCS)
    arguments = parser.parse_args()

    if arguments.quick:
        return quick.check(DOCS / "benchmarks.json")
    results: dict[str, Any]
    if arguments.document:
        if not (arguments.output / "benchmarks.json").exists():
            parser.error(
                f"nothing has been measured yet: {arguments.output} has no benchmarks.json"
            )
        results = json.loads((arguments.output / "benchmarks.json").read_text())
        (arguments.output / "benchmarks.md").write_text(document(results, arguments.output))
        return 0
    results = {"machine": machine(), "repeats": arguments.repeats}
    results["end_to_end"] = end_to_end.compare(None, arguments.events, arguments.repeats)
    show("The line as a share of bare River", results["end_to_end"])
    with brokers(arguments.broker) as found:
        for broker in found:
            over_kafka = end_to_end.compare(broker, arguments.events, arguments.repeats)
            show("The same over Kafka", over_kafka)
            results["end_to_end"] += over_kafka
    results["monitor"] = monitor_in_line.compare(arguments.repeats)
    show("The monitor inside the line", results["monitor"])
    results["kept_predictions"] = kept_predictions.compare(repeats=arguments.repeats)
    show("Keeping the newest predictions", results["kept_predictions"])
    results["staleness"] = serving_staleness.compare()
    show("Staleness", results["staleness"])
    results["api"] = api_speed.compare(arguments.repeats)
    show("POST predict as a share of a bare FastAPI route", results["api"])
    results["memory"] = memory.compare()
    show("Memory against events", results["memory"])

    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "benchmarks.json").write_text(json.dumps(results, indent=2) + "\n")
    (arguments.output / "benchmarks.md").write_text(document(results, arguments.output))
    sys.stderr.write(f"wrote {arguments.output}/benchmarks.md and benchmarks.json\n")
    return 0


def machine() -> str:
    """Return what the figures were seen on."""
    names = ["river", "kafka-python", "msgspec"]
    if find_spec("confluent_kafka") is not None:
        names.append("confluent-kafka")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.machine()}, {python}, {packages}"


def show(title: str, table: list[dict[str, Any]]) -> None:
    """Print one table."""
    sys.stdout.write(f"\n{title}\n{markdown(table)}")


def markdown(table: list[dict[str, Any]]) -> str:
    """Return a table in Markdown."""
    names = list(table[0])
    lines = ["| " + " | ".join(names) + " |", "| " + " | ".join("---" for _ in names) + " |"]
    for row in table:
        cells = [f"{row[n]:,}" if isinstance(row[n], int) else str(row[n]) for n in names]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def document(results: dict[str, Any], measured: Path = DOCS) -> str:
    """Return the page of the documentation.

    Parameters
    ----------
    results
        Of this program.
    measured
        Where the other benches left theirs.
    """
    notes = (
        (DOCS / "benchmarks-notes.md").read_text()
        if (DOCS / "benchmarks-notes.md").exists()
        else ""
    )
    return "\n".join(
        [
            PREFACE.format(machine=results["machine"], repeats=results["repeats"]),
            "## End to end, as a share of a bare River loop\n",
            (end_to_end.__doc__ or "").split("\n", 2)[2],
            markdown(results["end_to_end"]),
            *others(measured),
            "## The monitor inside the line\n",
            (monitor_in_line.__doc__ or "").split("\n", 2)[2],
            markdown(results["monitor"]),
            "## Keeping the newest predictions\n",
            (kept_predictions.__doc__ or "").split("\n", 2)[2],
            markdown(results["kept_predictions"]),
            "## Staleness\n",
            (serving_staleness.__doc__ or "").split("\n", 2)[2],
            markdown(results["staleness"]),
            *_api(results.get("api")),
            "## Memory against events\n",
            (memory.__doc__ or "").split("\n", 2)[2],
            markdown(results["memory"]),
            notes,
        ]
    )


def _api(table: list[dict[str, Any]] | None) -> list[str]:
    if table is None:
        return []
    about = (api_speed.__doc__ or "").split("\n", 2)[2]
    return ["## Predictions over HTTP\n", about, markdown(table)]


if __name__ == "__main__":
    sys.exit(main())
