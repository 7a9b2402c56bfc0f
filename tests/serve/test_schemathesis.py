"""Whatever the OpenAPI document allows, and much that it does not, has a documented answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = """
[parameters]
"path.stream" = "flights"
"path.version" = "v1"
"path.feature" = "x"
"""
SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "25"))
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance"
)


@pytest.mark.timeout(SECONDS + 120)
def test_no_request_is_a_5xx_or_gets_an_answer_that_is_not_documented(make_world, tmp_path):
    world = make_world(monitor={"warmup_events": 100, "pane_events": 50}, api={"offset_wait": 50})
    world.learn(150)
    command = [
        sys.executable, "-m", "schemathesis.cli", "run",
        "--checks", CHECKS,
        "--phases", "examples,coverage,fuzzing",
        "--mode", "all",
        "--max-time", str(SECONDS),
        "--max-examples", "25",
        "--generation-deterministic",
        "--suppress-health-check", "all",
        "--request-timeout", "20",
        "--exclude-operation-id", "live",  # which does not end: tests/serve/test_live.py
        "--no-color",
    ]  # fmt: skip
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    hooks = {
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    with world.api() as client:
        command += ["--url", str(client.base_url), f"{client.base_url}/openapi.json"]
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
            env=os.environ | hooks,
        )
        assert client.get("/healthz").status_code == 200
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-6_000:]
    world.work()
