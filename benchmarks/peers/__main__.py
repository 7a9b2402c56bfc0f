"""riverrun beside Quix Streams, Faust, chantilly and plain loops, all with River.

The same model learns from the same events on the same Apache Kafka, one partition, one process
each, in turn. A contestant reads JSON, predicts, updates ROC AUC, learns, and publishes the
prediction as JSON. Its speed is that between the first tenth of its predictions and the last one,
by the times at which the broker appended them, so that no start counts; `cpu_microseconds` is the
processor time of its processes for one event in between, and `stalled` counts runs out of which
nothing came for two minutes. In the task `predict` only the first 500
events have labels (for riverrun all others then wait for theirs). `riverrun_is_times_as_fast` is
riverrun over librdkafka against the row; `share_of_bare` is of a bare River loop in memory.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.brokers import LOCAL, brokers
from benchmarks.peers import environments, killed
from benchmarks.peers.does import DOES, NOTES
from benchmarks.peers.race import Race
from benchmarks.peers.topics import Topics
from benchmarks.streams import PIPELINES

DOCS = Path(__file__).parents[2] / "docs"
_EVENTS = {"scaler and logistic regression": 1.0, "Hoeffding tree": 0.5}
"""Pipelines that everybody runs, and their share of the events."""


def main() -> int:
    """Measure, print, and write ``docs/peers.md`` and the same as JSON."""
    arguments = _arguments()
    if arguments.install:
        environments.install()
        if arguments.events is None:
            return 0
    count = arguments.events or 100_000
    with brokers(arguments.broker) as found:
        topics = Topics(found[0].partition("://")[2])
        race = Race(topics, arguments.only)
        results = _measured(race, topics, count, arguments)
        topics.close()
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "peers.json").write_text(json.dumps(results, indent=2) + "\n")
    (arguments.output / "peers.md").write_text(document(results))
    sys.stderr.write(f"wrote {arguments.output}/peers.md and peers.json\n")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument(
        "--install",
        action="store_true",
        help="make the peers' environments in .cache/peers; alone it does nothing else",
    )
    parser.add_argument("--events", type=int, help="of the fastest contestants; default 100,000")
    parser.add_argument("--kill-events", type=int, default=60_000, help="while they are killed")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--broker", default=LOCAL, help="kafka://host:port, or local (the default)")
    parser.add_argument("--only", nargs="*", default=[], help="contestants, by part of the name")
    parser.add_argument(
        "--parts", nargs="*", default=["learn", "predict", "kill"],
        choices=["learn", "predict", "kill"],
    )  # fmt: skip
    parser.add_argument("--output", type=Path, default=DOCS)
    return parser.parse_args()


def _measured(
    race: Race, topics: Topics, count: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    from benchmarks.__main__ import machine, show

    results: dict[str, Any] = {
        "machine": machine(),
        "repeats": arguments.repeats,
        "settings": [
            {
                "who": who.title,
                "versions": environments.versions(who.environment, list(who.packages)),
                "settings": who.settings,
            }
            for who in race.contestants
        ],
        "race": [],
        "killed": [],
    }
    for part in ("learn", "predict"):
        if part not in arguments.parts:
            continue
        for pipeline in PIPELINES if part == "learn" else list(PIPELINES)[:1]:
            if pipeline not in _EVENTS:
                continue
            events = int(_EVENTS[pipeline] * count)
            table = race.compare(pipeline, events, arguments.repeats, part == "learn")
            show(f"{pipeline}: {part}", table)
            results["race"] += table
    if "kill" in arguments.parts:
        results["killed"] = killed.compare(topics, race.contestants, arguments.kill_events)
        show("Killed three times", results["killed"])
    return results


def document(results: dict[str, Any]) -> str:
    """Return the page of the documentation."""
    from benchmarks.__main__ import markdown

    about = (__doc__ or "").split("\n", 2)[2]
    parts = [
        "# Beside peers\n",
        "Written by `python -m benchmarks.peers`, as seen in one run, on a machine that is shared",
        f"and noisy; medians of {results['repeats']} repeats. {results['machine']}.\n",
        about,
    ]
    for title, table in tables(results["race"]):
        parts += [f"## {title}\n", markdown(table)]
    if results["killed"]:
        killing = (killed.__doc__ or "").split("\n", 2)[2]
        parts += ["## Killed midway\n", killing, markdown(results["killed"])]
    parts += ["## What each does\n", markdown(DOES), NOTES]
    parts += ["## Versions and settings\n", markdown(results["settings"])]
    return "\n".join(parts)


def tables(race: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return a title and a table for each pipeline and task."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in race:
        title = f"{row['task'].capitalize()}: {row['pipeline']}"
        rest = {key: value for key, value in row.items() if key not in ("pipeline", "task")}
        found.setdefault(title, []).append(rest)
    return list(found.items())


if __name__ == "__main__":
    sys.exit(main())
