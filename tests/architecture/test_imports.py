"""Imports go one way, and the core asks for no clock, no randomness and no I/O."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ["monitor", "stream", "serve"]

# The pure core: what `Line.handle` is made of.
CORE = [
    *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "monitor").glob("**/*.py")),
    *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "stream/watching").glob("*.py")),
    *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "stream/lifecycle").glob("*.py")),
    *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "stream/keys").glob("*.py")),
    *(
        f"stream/{name}.py"
        for name in [
            "adopted",
            "baselines",
            "checkpoint",
            "counts",
            "dead_letter_limit",
            "digest",
            "event_shape",
            "events",
            "labels",
            "learner",
            "line",
            "opinions",
            "origin",
            "recent",
            "records",
            "scores",
            "tally",
            "trace",
            "frozen",
            "settled",
            "snapshot",
            "step",
            "units",
            "waiting",
            "wanted",
            "cadence",
            "status",
        ]
    ),
]
FORBIDDEN_MODULES = {
    "time", "random", "secrets", "uuid", "os", "io", "socket", "ssl", "subprocess", "threading",
    "multiprocessing", "asyncio", "pathlib", "shutil", "tempfile", "sqlite3", "sqlalchemy",
    "kafka", "requests", "httpx", "urllib", "http", "fastapi", "structlog", "logging", "signal",
    "glob", "sys",
}  # fmt: skip
FORBIDDEN_CALLS = {"open", "print", "input", "exec", "eval"}
FORBIDDEN_ATTRIBUTES = {"now", "today", "utcnow"}


def sources(package: str) -> list[Path]:
    """Return a package's files."""
    return sorted((ROOT / package).glob("**/*.py"))


def imported(path: Path) -> set[str]:
    """Return the top-level names that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("package", LAYERS)
def test_imports_go_one_way(package):
    above = set(LAYERS[LAYERS.index(package) + 1 :])
    for path in sources(package):
        assert not imported(path) & above, f"{path} imports against the one way"


def test_only_the_kafka_log_imports_a_kafka_client():
    clients = {"kafka", "confluent_kafka"}
    users = {p.name for package in LAYERS for p in sources(package) if clients & imported(p)}
    assert users
    assert all(name.startswith(("kafka", "librdkafka")) for name in users), users


def test_the_monitor_is_useful_alone():
    for path in sources("monitor"):
        assert not imported(path) & {"sqlalchemy", "kafka", "fastapi", "pydantic", "typer"}, path


@pytest.mark.parametrize("name", CORE)
def test_the_core_has_no_clock_no_randomness_and_no_io(name):
    path = ROOT / name
    tree = ast.parse(path.read_text())
    found = imported(path) & FORBIDDEN_MODULES
    assert not found, f"{name} imports {found}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name):
            assert called.id not in FORBIDDEN_CALLS, f"{name}:{node.lineno} calls {called.id}"
        if isinstance(called, ast.Attribute) and not node.args:
            assert called.attr not in FORBIDDEN_ATTRIBUTES, f"{name}:{node.lineno} asks the clock"


def test_the_core_is_complete():
    """Whatever ``Line`` imports from ``stream`` is core itself, but for configuration."""
    outside = {
        "stream/config.py",
        "stream/model_section.py",
        "stream/sections.py",
        "stream/telling_sections.py",
        "stream/errors.py",
        *CORE,
    }
    for name in CORE:
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stream."):
                file = (node.module or "").replace(".", "/") + ".py"
                assert file in outside, f"{name} leans on {file}, which is not core"


@pytest.mark.parametrize("package", LAYERS)
def test_nothing_happens_at_import(package):
    """Modules hold definitions, but for ``__main__``, which is run and not imported."""
    for path in sources(package):
        if path.name == "__main__.py":
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                pytest.fail(f"{path}:{node.lineno} runs something at import")


@pytest.mark.parametrize("package", LAYERS)
def test_files_hold_one_idea(package):
    for path in sources(package):
        lines = len(path.read_text().splitlines())
        assert lines <= 350, f"{path} has {lines} lines: look for the second idea"
