"""The reference pages are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from tests.docs.reference import configuration

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    """Return a page of the documentation."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_every_configuration_key_is_documented():
    assert page("configuration.md") == configuration(), "run python -m tests.docs.reference"


def test_every_metric_is_documented():
    declared = set()
    for path in (*(ROOT / "serve" / "api").rglob("*.py"), ROOT / "monitor" / "prometheus.py"):
        declared |= set(re.findall(r'"(riverrun_[a-z_]+)"', path.read_text(encoding="utf-8")))
    assert declared
    assert CollectorRegistry
    missing = {name for name in declared if f"`{name}" not in page("metrics.md")}
    assert not missing


def test_every_route_is_documented():
    from serve.api.app import create_app

    for path in create_app([]).openapi()["paths"]:
        assert f"`{path}`" in page("api.md") or path in page("api.md"), path
