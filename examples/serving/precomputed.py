"""Precomputed: look up what ``riverrun score tomorrow.csv`` has stored, by id.

Run it as ``python precomputed.py http://127.0.0.1:8000 o2000``.
"""

# ruff: noqa: INP001, T201 - a file to run, not a package

from __future__ import annotations

import sys

from serve.client import Client


def main(url: str, order_id: str) -> None:
    """Print one result, and how many there are."""
    with Client(url, "orders") as client:
        found = client.prediction(order_id)
        print(f"{found.id}: {found.prediction} ({found.source}, by {found.model_version})")
        print(f"{client.predictions(source='precomputed', limit=1).kept:,} are stored")


if __name__ == "__main__":
    main(*sys.argv[1:])
