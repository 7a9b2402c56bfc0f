"""The commands of the README do what it says, on a file like the one it names."""

from __future__ import annotations

import json
import random
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.docs.pages import blocks_of

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    """Return the shell blocks of the README."""
    return blocks_of(README)


def commands() -> list[list[str]]:
    """Return the riverrun commands of the five minutes."""
    (block,) = [b for b in blocks() if "riverrun init" in b]
    return [line.split("#")[0].split()[1:] for line in block.strip().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with ``orders.csv``."""
    rng = random.Random(5)
    lines = ["order_id,placed,amount,items,country,returned"]
    for number in range(1_500):
        amount, items = round(rng.expovariate(0.02), 2), rng.randint(1, 9)
        returned = amount / 100 + rng.gauss(0, 0.3) > 0.8
        day, hour = 1 + number // 50, number % 24
        placed = f"2025-{1 + day // 29:02d}-{1 + day % 28:02d}T{hour:02d}:00:00Z"
        country = rng.choice(["NL", "DE", "FR"])
        lines.append(f"o{number},{placed},{amount},{items},{country},{str(returned).lower()}")
    (tmp_path / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def riverrun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command as a person would."""
    command = [sys.executable, "-m", "serve.cli", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


def environment() -> dict[str, str]:
    """Return an environment in which the packages are found from any folder."""
    import os

    return os.environ | {"PYTHONPATH": str(ROOT)}


def test_five_minutes_with_your_own_csv(folder):
    names = []
    for arguments in commands():
        done = riverrun(folder, *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        names.append(arguments[0])
    assert names == ["init", "check", "produce", "worker", "status"]
    status = json.loads(riverrun(folder, "status", "--json").stdout)
    assert status["counts"]["learned"] == 1_500
    scores = status["scores"]
    assert scores["model"]["ROCAUC"] > 0.8 > scores["no_change"]["ROCAUC"]
    ask_the_api(folder)


def ask_the_api(folder):
    """Run ``up``, send the README's request, and stop it."""
    (block,) = [b for b in blocks() if "curl" in b]
    path = re.search(r"localhost:8000(\S+)", block)[1]
    body = re.search(r"-d '(.*)'", block, re.DOTALL)[1]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "serve.cli", "up"]
    settings = environment() | {"RIVERRUN_API__PORT": str(port)}
    process = subprocess.Popen(command, cwd=folder, env=settings, stderr=subprocess.DEVNULL)
    try:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            data=body.encode(),
            headers={"Content-Type": "application/json"},
        )
        answer = json.load(answered(request))
        assert answer["event_id"] == "new-1"
        assert answer["model_version"] == "v1"
        assert {"prediction", "probabilities", "learned_offset", "staleness_seconds"} <= set(answer)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def answered(request):
    """Send a request until the API is there."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return urllib.request.urlopen(request, timeout=10)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z-]+)`?", README))
    assert named
    assert named <= targets


def test_every_file_that_is_named_exists():
    for name in re.findall(r"`((?:docs|tests|examples)/[\w./-]+)`", README):
        assert (ROOT / name).exists(), name
