"""Orders to try the serving patterns on: a past with labels, and tomorrow without.

Run it as ``python make_orders.py past.csv tomorrow.csv``.
"""

# ruff: noqa: INP001, S311, T201, DTZ001 - a file to run, not a package; orders are made up

from __future__ import annotations

import csv
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path

FIELDS = ["order_id", "placed", "amount", "items", "country", "returned"]


def orders(first: int, count: int) -> list[dict[str, object]]:
    """Return made-up orders; dear ones come back more often."""
    rng = random.Random(first)
    made: list[dict[str, object]] = []
    for number in range(first, first + count):
        amount = round(rng.expovariate(0.02), 2)
        made.append(
            {
                "order_id": f"o{number}",
                "placed": (datetime(2025, 1, 1) + timedelta(minutes=number)).isoformat() + "Z",
                "amount": amount,
                "items": rng.randint(1, 9),
                "country": rng.choice(["NL", "DE", "FR"]),
                "returned": str(amount / 100 + rng.gauss(0, 0.3) > 0.8).lower(),
            }
        )
    return made


def write(path: Path, rows: list[dict[str, object]], fields: list[str]) -> None:
    """Write some fields of rows as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fields, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{path}: {len(rows):,} orders")


if __name__ == "__main__":
    past, tomorrow = map(Path, sys.argv[1:])
    write(past, orders(0, 2_000), FIELDS)
    write(tomorrow, orders(2_000, 500), FIELDS[:-1])
