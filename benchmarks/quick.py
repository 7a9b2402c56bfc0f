"""A minute for a CI: the line beside a bare River loop; a failure only where it fell far below.

What is stated stands in ``docs/benchmarks.json``, seen on another machine perhaps. But a share is
of what ran in turn with it on the same one, both by the processor time that they used: it was the
same within a twentieth while other work kept the machine at three times its cores. Half of what is
stated is allowed to be left.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import end_to_end

ALLOWED = 1 / 2
"""Of the stated share."""

_EVENTS, _REPEATS = 12_000, 3


def check(stated_in: Path) -> int:
    """Measure the shares over the embedded log; return 1 where one is far below the stated."""
    from benchmarks.__main__ import show

    stated = json.loads(stated_in.read_text(encoding="utf-8"))["end_to_end"]
    table = end_to_end.compare(None, _EVENTS, _REPEATS, time.process_time)
    for row in table:
        del row["commit_share"]  # by the clock on the wall, and the runs are short
    show("The line as a share of bare River, by processor time", table)
    low = fallen(stated, table)
    for line in low:
        sys.stderr.write(line + "\n")
    return 1 if low else 0


def fallen(stated: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[str]:
    """Return a sentence for each pipeline whose best share is below what is allowed.

    Examples
    --------
    >>> fallen([{"pipeline": "tree", "log": "SQLite 3.40", "share": 0.6}],
    ...        [{"pipeline": "tree", "log": "SQLite 3.45", "share": 0.29}])
    ['tree: 0.29 of bare River; docs/benchmarks.json states 0.6, and less than 0.300 is a failure']
    """
    wanted = {
        row["pipeline"]: row["share"] for row in stated if str(row["log"]).startswith("SQLite")
    }
    return [
        f"{row['pipeline']}: {row['share']} of bare River; docs/benchmarks.json states "
        f"{wanted[row['pipeline']]}, and less than "
        f"{ALLOWED * wanted[row['pipeline']]:.3f} is a failure"
        for row in found
        if row["pipeline"] in wanted and row["share"] < ALLOWED * wanted[row["pipeline"]]
    ]
