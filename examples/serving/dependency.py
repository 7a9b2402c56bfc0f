"""Model as a dependency: in your own program, without broker, store or server.

Run it as ``python dependency.py v1.riverrun.zip``, with RIVERRUN_SECRET as when it was exported.
"""

# ruff: noqa: INP001, T201 - a file to run, not a package

from __future__ import annotations

import os
import sys

from serve import load_model


def main(path: str) -> None:
    """Load a model, and predict with it."""
    secret = os.environ.get("RIVERRUN_SECRET")
    model = load_model(path, secret.encode() if secret else None, unsigned=secret is None)
    answer = model.answer({"amount": 180.0, "items": 2, "country": "NL"})
    print(f"{model.version}: {answer}; Kafka's client was imported: {'kafka' in sys.modules}")


if __name__ == "__main__":
    main(sys.argv[1])
