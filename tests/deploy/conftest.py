"""Where the deployment's files are, and the programs from Debian that read them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import real_thing

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


@pytest.fixture
def program() -> Callable[[str, str], str]:
    """Find a program of a Debian package; without it skip on a laptop and fail in CI."""

    return find_program


def find_program(name: str, package: str) -> str:
    """Return the path of a program; see ``program``."""
    path = shutil.which(name)
    if path is None:
        real_thing(FileNotFoundError(f"{name}; on Debian: apt-get install {package}"))
        raise AssertionError
    return path


def read(path: str) -> Any:
    """Return a YAML file under ``deploy``."""
    return yaml.safe_load((DEPLOY / path).read_text(encoding="utf-8"))


def alerts() -> dict[str, dict[str, Any]]:
    """Return Prometheus' alerting rules by name."""
    groups = read("prometheus/rules/alerts.yml")["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}
