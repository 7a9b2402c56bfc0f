"""The page of the documentation, made of the results."""

from __future__ import annotations

import inspect
from typing import Any

from benchmarks import retrain_placebo, retrain_policies, retrain_rollback
from benchmarks.__main__ import markdown
from benchmarks.monitor_document import prose
from benchmarks.retrain_policies import RIVER
from benchmarks.retrain_streams import MONITOR, PIPELINES, RETRAIN, SYNTHETIC

Results = dict[str, Any]
REAL = ("elec2", "NOAA weather")

PREFACE = """# Retraining, measured

Written by `python -m benchmarks.retrain_bench`. Every figure was seen in a run of the section it
stands in, on a machine that is shared and noisy: compare within a table, not between runs. Seeds
are fixed. {machine}.

{sections}
"""

SETTINGS = """Streams of {events:,} events, a minute apart, each with its label; {seeds} seeds.
Settings other than the defaults: {changed}. Pipelines: {pipelines}.

{streams}
"""


def document(results: Results) -> str:
    """Return the page; sections without results are left out."""
    ran = results["sections"].items()
    sections = ", ".join(f"{n} ({s['mode']}, {s['seconds']} s)" for n, s in ran)
    parts = [PREFACE.format(machine=results["machine"], sections=f"Sections: {sections}.")]
    if results.get("losses"):
        parts += [
            "## Policies\n",
            prose(retrain_policies),
            _settings(results),
            markdown(results["losses"]),
            _verdict(results["losses"]),
            "What the `drift` policy did, medians over seeds; `changes answered` and `events to"
            " promotion` are of the changes that are known, up to the next one. Seconds are those"
            " of the backtest, training included.\n",
            markdown(results["runs"]),
        ]
    if results.get("placebo"):
        parts += ["## The gate\n", prose(retrain_placebo), markdown(results["placebo"])]
    if results.get("rollback"):
        parts += ["## The way back\n", prose(retrain_rollback), markdown(results["rollback"])]
    parts += ["## What is missed\n", *[f"- {line}" for line in missed(results)]]
    return "\n".join(parts) + "\n"


def missed(results: Results) -> list[str]:
    """Return where riverrun does worse than another, or than it should."""
    lines = []
    for row in results.get("losses", []):
        best = row["smallest"].split(", ")
        if not any(name.startswith("drift") for name in best):
            found = ", ".join(f"{name} {row[name].split()[0]}" for name in (*best[:1], "drift"))
            lines.append(f"{row['stream']}, {row['pipeline']}: {best[0]} does better ({found}).")
    lines += [
        f"{row['stream']}, {row['pipeline']}: drift does worse than learning on."
        for row in results.get("losses", [])
        if _first(row, "drift") > _first(row, "only learns on") * 1.001
    ]
    lines += [
        f"{row['challengers']}: more were promoted than the level allows."
        for row in results.get("placebo", [])
        if row["within 1 %"] == "NO"
    ]
    skipped = [n for n in REAL if all(r["stream"] != n for r in results.get("losses", []))]
    if skipped and results.get("losses"):
        lines.append(f"Not run, for lack of data: {', '.join(skipped)}.")
    lines.append(
        "A challenger must be trained on enough events after the change and then prove itself, and"
        " decisions fall where a pane closes: a wrapper without a gate reacts sooner, and replaces"
        " a good model after a false alarm, too."
    )
    return lines


def _first(row: dict[str, Any], name: str) -> float:
    return float(str(row[name]).split()[0])


def _verdict(losses: list[dict[str, Any]]) -> str:
    regimes = ("only learns on", "periodic", "drift", "drift, in a hurry", RIVER)
    wins = {name: sum(_is_among(name, row) for row in losses) for name in regimes}
    shown = ", ".join(f"{name} {count}" for name, count in wins.items())
    return f"Within 1 % of the smallest loss, of {len(losses)} rows: {shown}.\n"


def _is_among(name: str, row: dict[str, Any]) -> bool:
    least = min(_first(row, each) for each in row if each not in ("stream", "pipeline", "smallest"))
    return _first(row, name) <= least * retrain_policies.NEAR


def _settings(results: Results) -> str:
    changed = {f"monitor.{k}": v for k, v in MONITOR.items()}
    changed |= {f"retrain.{k}": v for k, v in RETRAIN.items()}
    docs = [
        f"- {s.name}: {(inspect.getdoc(s.make) or '').removeprefix('Return ')}" for s in SYNTHETIC
    ]
    return SETTINGS.format(
        events=results["events"],
        seeds=results["seeds"],
        changed=", ".join(f"`{key} = {value:,}`" for key, value in changed.items()),
        pipelines="; ".join(f"{n}: `{text}`" for n, text in PIPELINES.items()),
        streams="\n".join(docs),
    )
