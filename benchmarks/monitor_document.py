"""The page of the documentation, made of the results."""

from __future__ import annotations

import inspect
from typing import Any

from benchmarks import (
    monitor_cost,
    monitor_false_alarms,
    monitor_false_alarms_peers,
    monitor_power,
    monitor_real,
    monitor_speed,
)
from benchmarks.__main__ import markdown
from benchmarks.monitor_detectors import BASELINES
from benchmarks.monitor_environments import PINS
from benchmarks.monitor_missed import missed
from benchmarks.monitor_streams import SOURCE_TEXT

Results = dict[str, Any]

PREFACE = """# The monitor, measured

Written by `python -m benchmarks.monitor_bench`. Every figure was seen in a run of the section it
stands in, on a machine that is shared and noisy: compare within a table, not between runs. Seeds
are fixed. {machine}, {scipy}.

{sections}

## Peers and settings

Each peer runs in a process and an environment of its own, on the same arrays, in turn with ours.

{peers}

- riverrun: the defaults of `MonitorConfig`: panes of 1,000 events, spans of 1, 4 and 16 panes, 32
  bins, a budget of 1 false alarm per 1000 panes over all features and spans, effect floors of 0.1.
- Evidently: `Report([DataDriftPreset()])` with its defaults: {methods} in the speed test. Above
  1,000 rows of reference it compares a Wasserstein or Jensen-Shannon distance, by the column's
  type, with 0.1; below, p-values with 0.05. For alarms the tests that the preset chooses are called
  without its report; in the speed test both gave the same scores.
- NannyML: `UnivariateDriftCalculator` with `jensen_shannon`, chunks as long as a pane, and its
  default threshold: mean and 3 standard deviations over the reference's chunks. Its calculators of
  missing values and of reconstruction error (PCA) take part under Power, with their defaults.
- River: `ADWIN()` and `KSWIN(seed=...)` with their defaults, one a feature, after the reference
  (KSWIN: the last 200 rows of it).
"""

INDEPENDENT = """## False alarms on independent streams

{doc}
Streams: {sources}.

{beside}
The columns `beside: ...` are the share of panes in alarm, ours to be held against a budget of
0.10 %; `not run` where the streams were too wide for a quick run.
"""


def document(results: Results) -> str:
    """Return the page; sections without results are left out."""
    parts = [_preface(results)]
    for key, title, module in (
        ("speed", "Speed of one report", monitor_speed),
        ("cost", "Cost inside the worker", monitor_cost),
    ):
        if results.get(key):
            parts += [f"## {title}\n", prose(module), markdown(results[key])]
    if results.get("false_alarms"):
        doc, of_peers = prose(monitor_false_alarms), prose(monitor_false_alarms_peers)
        text = INDEPENDENT.format(doc=doc, sources=SOURCE_TEXT, beside=of_peers)
        parts += [text, markdown(merged(results))]
    if results.get("autocorrelated"):
        parts += [
            "## False alarms on autocorrelated streams\n",
            "Five Gaussian AR(1) columns of unit variance, in which nothing changes; share of panes"
            " in alarm, to be held against a budget of 0.10 %.\n",
            markdown(results["autocorrelated"]),
        ]
    if results.get("power"):
        parts += ["## Power\n", prose(monitor_power)]
        rates = results["power_rates"]
        parts += [markdown(rates), leagues(rates), markdown(results["power"])]
    if "elec2" in results:
        parts += ["## Real streams\n", prose(monitor_real)]
        for title, key in (("elec2", "elec2"), ("Shared bicycles", "bikes")):
            found = results[key]
            parts += [f"{title}:\n", markdown(found) if found else "skipped: no data\n"]
    parts += ["## What is missed\n", *[f"- {line}" for line in missed(results)]]
    return "\n".join(parts) + "\n"


def prose(module: Any) -> str:
    """Return a module's docstring without its first line, which the heading stands for."""
    text = inspect.cleandoc(module.__doc__ or "")
    return text.split("\n", 1)[1].strip() + "\n"


def leagues(rates: list[dict[str, Any]]) -> str:
    """Return who is in each league of false alarms; baselines are in none."""
    lines = []
    for title, most in monitor_power.LEAGUES.items():
        names = [
            row["detector"]
            for row in rates
            if float(row["false_alarms_per_pane"].split()[0]) <= 100 * most
            and row["detector"] not in BASELINES
        ]
        who = f"one of {', '.join(names)}" if len(names) > 1 else f"{''.join(names)} alone"
        lines.append(f"- {title}: {who}")
    return "\n".join(lines) + "\n"


def merged(results: Results) -> list[dict[str, Any]]:
    """Return the table of false alarms with what the peers did on streams of the same kind."""
    beside = {(r["stream"], r["features"]): r for r in results.get("beside", [])}
    names = (
        "riverrun", "Evidently", "Evidently, dataset drift", "Evidently, 1,000-row reference",
        "NannyML",
    )  # fmt: skip
    rows = []
    for row in results["false_alarms"]:
        other = beside.get((row["stream"], row["features"]), {})
        shown = {f"beside: {name}": other.get(name, "not run") for name in names}
        rows.append({**row, **shown, "beside: panes": other.get("panes", 0)})
    return rows


def _preface(results: Results) -> str:
    ran = results["sections"].items()
    sections = (
        "Sections: " + ", ".join(f"{n} ({s['mode']}, {s['seconds']} s)" for n, s in ran) + "."
    )
    lines = []
    for name, found in results["peers"].items():
        pins = ", ".join(PINS[name])
        seen = found if isinstance(found, str) else ", ".join(f"{k} {v}" for k, v in found.items())
        lines.append(f"- {name}: pinned {pins}; seen: {seen}")
    methods = ", ".join(results.get("evidently_methods", [])) or "see below"
    return PREFACE.format(
        machine=results["machine"],
        scipy=results["scipy"],
        sections=sections,
        peers="\n".join(lines),
        methods=methods,
    )
