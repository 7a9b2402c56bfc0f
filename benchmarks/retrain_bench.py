"""``python -m benchmarks.retrain_bench``: measure retraining: its policies, its gate, its way back.

Writes ``docs/retraining-benchmarks.md`` and its JSON after each section, in about six minutes on
two idle cores. With ``--only`` the other sections stay as they were in the JSON. Real streams are
read from the folder that ``RIVERRUN_DATA`` names, and skipped without it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import retrain_document, retrain_placebo, retrain_policies, retrain_rollback
from benchmarks.__main__ import machine, markdown

DOCS = Path(__file__).parents[1] / "docs"
NAME = "retraining-benchmarks"
Section = Callable[[bool], dict[str, Any]]


def policies(quick: bool) -> dict[str, Any]:
    """Return losses of policies, and what the drift policy did."""
    seeds, events = (1, 8_000) if quick else (3, 15_000)
    losses, runs = retrain_policies.compare(seeds, events)
    return {"losses": losses, "runs": runs, "seeds": seeds, "events": events}


def placebo(quick: bool) -> dict[str, Any]:
    """Return what the gate does with challengers that are no better."""
    return {"placebo": retrain_placebo.compare(100 if quick else 1_000)}


def rollback(quick: bool) -> dict[str, Any]:
    """Return after how many events a model that turned bad is sent back."""
    return {"rollback": retrain_rollback.compare(20 if quick else 100)}


SECTIONS: dict[str, Section] = {s.__name__: s for s in (policies, placebo, rollback)}


def main() -> int:
    """Run the sections, print the tables, and write what was seen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrain_bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, fewer repetitions")
    parser.add_argument("--only", nargs="*", default=list(SECTIONS), choices=list(SECTIONS))
    parser.add_argument("--output", type=Path, default=DOCS)
    arguments = parser.parse_args()

    path = arguments.output / f"{NAME}.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    results["machine"] = machine()
    took = results.setdefault("sections", {})
    for name in arguments.only:
        begun = time.perf_counter()
        tables = SECTIONS[name](arguments.quick)
        results |= tables
        took[name] = {
            "mode": "quick" if arguments.quick else "full",
            "seconds": round(time.perf_counter() - begun),
        }
        for title, table in tables.items():
            if isinstance(table, list):
                sys.stdout.write(f"\n{title}\n{markdown(table)}")
        arguments.output.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=2) + "\n")
        (arguments.output / f"{NAME}.md").write_text(retrain_document.document(results))
    sys.stderr.write(f"wrote {NAME}.md and {NAME}.json\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
