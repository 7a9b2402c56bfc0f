"""chantilly with the same pipeline, for the comparison of ``benchmarks.api_speed``.

chantilly 0.3.0 installs beside River 0.26 and then fails to start: River moved the classes that
it names. The old names are put back when its process starts; nothing else is changed.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import httpx

_OLD_NAMES = """
import river.metrics
import river.metrics.base

river.metrics.Metric = river.metrics.base.Metric
"""

# Written by the Python that reads it again: pickles differ between versions.
_MODEL = """
import random
import sys

import dill
from river import linear_model, preprocessing

model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
rng = random.Random(1)
for _ in range(20_000):
    x = {f"f{i}": rng.gauss(0, 1) for i in range(8)}
    model.learn_one(x, x["f0"] - x["f1"] + 0.5 * rng.gauss(0, 1) > 0)
sys.stdout.buffer.write(dill.dumps(model))
"""


def command(gunicorn: str, port: int) -> list[str]:
    """Return what serves it: one process, one thread, because its files take no second one."""
    options = ["--worker-class", "gthread", "--threads", "1", "--keep-alive", "60"]
    return [gunicorn, *options, "--bind", f"127.0.0.1:{port}", "chantilly:create_app()"]


def environment_of(folder: Path) -> dict[str, str]:
    """Prepare a folder for its files, and return its process's environment.

    Parameters
    ----------
    folder
        An empty one.
    """
    (folder / "sitecustomize.py").write_text(_OLD_NAMES)
    return os.environ | {"PYTHONPATH": str(folder), "SHELVE_PATH": str(folder / "shelf")}


def give_model(gunicorn: str, port: int) -> None:
    """Set its flavor, and hand it a model that has learned."""
    python = str(Path(gunicorn).with_name("python"))
    model = subprocess.run([python, "-c", _MODEL], check=True, capture_output=True).stdout
    url = f"http://127.0.0.1:{port}/api"
    httpx.post(f"{url}/init", json={"flavor": "binary"}).raise_for_status()
    httpx.post(f"{url}/model/bench", content=model, timeout=60.0).raise_for_status()
