"""Each route needs a role, and the table of roles knows every route."""

from __future__ import annotations

import re

import pytest

from serve.api.app import create_app
from serve.api.auth.guard import Guarded, name_of, role_of
from serve.api.auth.roles import OPEN, ROLE_OF, Role

PAGES = {"home", "stream_home", "show_page", "sign_in_page", "asset", "plotly", "favicon"}
DOCUMENTS = {"openapi", "docs", "docs_file"}
KEYLESS = {"healthz", "readyz", "v2_live", "v2_ready", "sign_in", "sign_out"} | PAGES | DOCUMENTS


def routes() -> dict[str, tuple[str, str, Role | None]]:
    """Return every route by its name: method, path with some values, role."""
    found = {}
    for route in create_app([]).routes:
        path = re.sub(r"\{stream(:\w+)?\}", "flights", route.path)
        path = re.sub(r"\{(run|request_id)(:\w+)?\}", "1", path)
        path = re.sub(r"\{\w+(:\w+)?\}", "x", path)
        method = next(iter(set(getattr(route, "methods", None) or ["GET"]) - {"HEAD"}))
        found[name_of(route)] = (method, path, role_of(route))
    return found


def test_every_route_stands_in_the_table_and_every_row_is_a_route():
    assert set(ROLE_OF) == set(routes())


def test_only_a_few_routes_ask_for_no_key():
    assert {name for name, role in ROLE_OF.items() if role is OPEN} == KEYLESS


def test_every_route_that_needs_a_role_is_guarded():
    for route in create_app([]).routes:
        assert isinstance(route.app, Guarded) == (role_of(route) is not OPEN), route


def test_a_route_that_the_table_does_not_know_needs_an_operator():
    app = create_app([])
    app.get("/new")(lambda: None)
    assert role_of(app.routes[-1]) is Role.OPERATOR


def test_no_route_answers_without_a_key_or_with_too_weak_a_one(guarded):
    with guarded.api() as client:
        for name, (method, path, needed) in routes().items():
            if needed is OPEN:
                continue
            answer = client.request(method, path, json={})
            assert answer.status_code == 401, name
            assert answer.headers["www-authenticate"].startswith("Bearer")
            if path.startswith("/v2"):  # speaks of errors as its protocol does
                assert "key" in answer.json()["error"]
            else:
                assert answer.json()["type"] == "urn:riverrun:problem:credentials_missing"
            for role in Role:
                key = {"X-API-Key": guarded.keys[role.label]}
                with client.stream(method, path, headers=key, json={}) as answer:  # live never ends
                    if role >= needed:
                        assert answer.status_code not in (401, 403), (name, role)
                        continue
                    assert answer.status_code == 403, (name, role)
                    answer.read()
                    said = answer.json()
                    assert f"the role {needed.label!r}" in (said.get("detail") or said["error"])
                    assert f'scope="{needed.label}"' in answer.headers["www-authenticate"]


def test_the_document_says_which_role_each_operation_needs(guarded):
    with guarded.api() as client:
        document = client.get("/openapi.json").json()
    promote = document["paths"]["/v1/streams/{stream}/models/{version}/promote"]["post"]
    assert promote["description"].endswith("Role: `operator`.")
    assert {"401", "403", "429"} <= set(promote["responses"])
    assert promote["security"]
    assert "security" not in document["paths"]["/healthz"]["get"]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key", "session"}


@pytest.mark.parametrize("is_open", [False, True])
def test_metrics_ask_for_a_key_unless_they_are_open(guard_world, is_open):
    guarded = guard_world(api={"open_metrics": is_open})
    with guarded.api() as client:
        assert client.get("/metrics").status_code == (200 if is_open else 401)
        bearer = {"Authorization": f"Bearer {guarded.keys['viewer']}"}
        assert client.get("/metrics", headers=bearer).status_code == 200
