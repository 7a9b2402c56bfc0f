"""docker-compose.yml as data, with its variables filled in."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.deploy.conftest import DEPLOY, ROOT

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
_VARIABLE = re.compile(r"\$\{(\w+)(?::\?[^}]*)?\}")


def wanted() -> set[str]:
    """Return the variables that the file asks for."""
    return set(_VARIABLE.findall(TEXT))


def example() -> dict[str, str]:
    """Return the variables of the example of ``.env``."""
    lines = (DEPLOY / "compose" / "env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def composed(values: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the file with its variables, and with its anchors resolved."""
    values = example() if values is None else values
    found: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(lambda m: values[m[1]], TEXT))
    return found


def mounts(service: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Return by the path inside, where it comes from and whether it is read-only."""
    found = {}
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        found[target] = (source, "ro" in mode)
    return found
