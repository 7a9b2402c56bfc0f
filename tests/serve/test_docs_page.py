"""``/docs`` and the OpenAPI document: complete, and without anything from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from serve.api.app import create_app

CHROMIUM = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom",
]  # fmt: skip


def test_the_page_and_all_it_needs_come_from_here(world):
    with world.api() as client:
        page = client.get("/docs")
        named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        policy = page.headers["content-security-policy"]
        for path in named:
            if path != "data:,":
                assert client.get("/" + path).status_code == 200, path
        assert client.get("/docs/redoc.standalone.js").status_code == 404
        assert client.get("/docs/..%2fcore.py").status_code == 404
    assert len(named) == 5
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert not re.search(r"https?://|<script>", page.text)


def test_a_browser_shows_every_operation_and_is_refused_nothing(world, tmp_path):
    browser = shutil.which("chromium")
    if browser is None:
        message = "chromium is missing; on Debian: apt-get install chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with world.api() as client:
        shown = subprocess.run(
            [browser, *CHROMIUM, f"--user-data-dir={tmp_path}", f"{client.base_url}/docs"],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        operations = operations_of(client.get("/openapi.json").json())
    for operation in operations:
        assert f'id="operations-{tag(operation)}-{operation["operationId"]}"' in shown.stdout
    assert "Content Security Policy" not in shown.stderr
    assert "Unable to render" not in shown.stdout


def test_every_operation_is_typed_with_examples_and_problems():
    document = create_app([]).openapi()
    assert document["openapi"].startswith("3.1")
    assert len(operations_of(document)) > 30
    for path, methods in document["paths"].items():
        media = "application/json" if path.startswith("/v2") else "application/problem+json"
        for operation in methods.values():
            assert operation["operationId"]
            assert operation["summary"]
            for status, answer in operation["responses"].items():
                if status >= "4":
                    assert set(answer["content"]) == {media}, (path, status)
                for content in answer.get("content", {}).values():
                    if answer["content"].keys() != {"text/plain"}:
                        check_schema(document, content)
            for content in operation.get("requestBody", {"content": {}})["content"].values():
                check_schema(document, content)
                assert "example" in content or examples(document, content["schema"]), path
    assert "HTTPValidationError" not in str(document)


def test_answers_and_errors_have_examples_that_fit_their_schema():
    import jsonschema_rs  # schemathesis brings it

    document = create_app([]).openapi()
    found = 0
    for name, schema in document["components"]["schemas"].items():
        whole = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        for example in schema.get("examples", []):
            jsonschema_rs.validate(whole, example)
            found += 1
    assert found > 20


def operations_of(document: dict) -> list[dict]:
    return [one for methods in document["paths"].values() for one in methods.values()]


def tag(operation: dict) -> str:
    return operation["tags"][0].replace(" ", "_")


def check_schema(document: dict, content: dict) -> None:
    schema = resolve(document, content["schema"])
    assert schema.keys() & {"properties", "anyOf", "type", "additionalProperties"}, schema


def examples(document: dict, schema: dict) -> list:
    return resolve(document, schema).get("examples", [])


def resolve(document: dict, schema: dict) -> dict:
    if "$ref" not in schema:
        return schema
    for part in schema["$ref"].removeprefix("#/").split("/"):
        document = document[part]
    return document
