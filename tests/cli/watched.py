"""A small stream that is watched: numbers, a category, and a shift that a test asks for."""

from __future__ import annotations

import json
import random
from pathlib import Path

START = 1_735_689_600_000  # 2025-01-01T00:00:00Z, in milliseconds
MINUTE = 60_000

CONFIG = """\
[stream]
name = "s"

[event]
id = "id"
time = "t"
label = "y"

[model]
task = "binary"
pipeline = '''(compose.Select("a", "b") | preprocessing.StandardScaler() |
  linear_model.LogisticRegression())'''

[monitor]
warmup_events = 1000
pane_events = 100
spans = [1, 4]
reference_losses = 100
"""


def rows(
    start: int, stop: int, *, shift: float = 0.0, labels: bool = True, **fields: object
) -> str:
    """Return events as JSON lines, one a minute."""
    lines = []
    for number in range(start, stop):
        rng = random.Random(number)
        a, b = rng.gauss(0, 1), rng.gauss(0, 1)
        row = {"id": f"e{number}", "t": START + number * MINUTE, "a": a + shift, "b": b}
        row |= {"c": rng.choice("xyz")} | ({"y": a + 0.3 * b > 0} if labels else {}) | fields
        lines.append(json.dumps(row) + "\n")
    return "".join(lines)


def write_stream(folder: Path, monitor: str = "") -> Path:
    """Write ``riverrun.toml``, with more keys of its last section."""
    path = folder / "riverrun.toml"
    path.write_text(CONFIG + monitor)
    return path
