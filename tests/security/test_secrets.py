"""No secret is shown: not in logs, results, errors, metrics, pages or answers."""

from __future__ import annotations

import socket

import pytest

from serve.compose import Secrets, read_secrets
from stream.config import Config

SIGNING = "signing-5c1f0b3e7a"
HOOK_PATH = "T00000000/B00000000/hook-path-9d2e"
HOOK_TOKEN = "hook-token-77aa01"
HOOK_SECRET = "hook-secret-4be2c9"
MANAGER_TOKEN = "manager-token-e013"
STORE_PASSWORD = "store-password-1f2e"
KAFKA_PASSWORD = "kafka-password-b5d8"
API_KEY = "operator-key-0123456789abcdef0123456789abcdef"
ALL = (
    SIGNING, HOOK_PATH, HOOK_TOKEN, HOOK_SECRET, MANAGER_TOKEN, STORE_PASSWORD, KAFKA_PASSWORD,
    API_KEY,
)  # fmt: skip

TEXT = """
[stream]
name = "s"
broker = "{broker}"
store = "{store}"
[event]
id = "id"
label = "y"
[model]
task = "binary"
pipeline = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"
[alerts]
webhook = "http://127.0.0.1:{port}/services/{path}"
alertmanager = "http://127.0.0.1:{port}"
timeout = "500ms"
"""
ENVIRONMENT = {
    "RIVERRUN_SECRET": SIGNING,
    "RIVERRUN_ALERTS_WEBHOOK_TOKEN": HOOK_TOKEN,
    "RIVERRUN_ALERTS_WEBHOOK_SECRET": HOOK_SECRET,
    "RIVERRUN_ALERTS_ALERTMANAGER_TOKEN": MANAGER_TOKEN,
    "RIVERRUN_KAFKA_USERNAME": "me",
    "RIVERRUN_KAFKA_PASSWORD": KAFKA_PASSWORD,
    "RIVERRUN_API_OPERATOR_KEY": API_KEY,
}


@pytest.fixture
def nobody():
    """Return a port that nobody listens on, for as long as the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def tell(here, riverrun, invoke, nobody, monkeypatch):
    """Write a configuration full of secrets; return how to run a command with it."""

    def write(broker="sqlite:///log.db", store="sqlite:///store.db"):
        broker, store = broker.replace("PORT", str(nobody)), store.replace("PORT", str(nobody))
        text = TEXT.format(broker=broker, store=store, port=nobody, path=HOOK_PATH)
        (here / "riverrun.toml").write_text(text)

    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def run(*words):
        if words[0] == "worker":  # as it is run: its threads write, too
            code, out, err = riverrun(*words, env=ENVIRONMENT)
        else:
            result = invoke(*words, stdin="")
            code, out, err = result.exit_code, result.stdout, result.stderr
        assert not shown(out + err), (words, shown(out + err))
        return code, out, err

    write()
    run.write = write
    return run


def shown(text: str) -> list[str]:
    return [secret for secret in ALL if secret in text]


def test_the_secrets_of_this_test_would_be_found():
    assert shown(f"... {STORE_PASSWORD} ... {API_KEY}") == [STORE_PASSWORD, API_KEY]


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_command_shows_one(here, tell, form):
    events = '{"id": "a", "x": 1.0, "y": true}\n{"id": "b", "x": 2.0, "y": false}\n'
    (here / "events.jsonl").write_text(events)
    assert tell("check")[0] == 0
    assert tell("check", "--json")[0] == 0
    assert tell("produce", "events.jsonl", "--json")[0] == 0
    options = ["--log-level", "debug", "--log-format", form]
    assert tell("worker", "--until-caught-up", "--json", *options)[0] == 0
    for words in (
        ["status"],
        ["status", "--json"],
        ["doctor"],
        ["doctor", "--json"],
        ["alerts", "test"],
        ["alerts", "test", "--json"],
        ["alerts", "list", "--json"],
        ["report", "--out", "page.html"],
        ["models", "show", "v1", "--json"],
    ):
        tell(*words)
    assert not shown((here / "page.html").read_text())


@pytest.mark.parametrize(
    "store",
    [
        f"postgresql+psycopg://me:{STORE_PASSWORD}@127.0.0.1:PORT/x",
        f"postgresql+psycopg://127.0.0.1:PORT/x?user=me&password={STORE_PASSWORD}",
        f"nonsense://me:{STORE_PASSWORD}@host/x",
    ],
)
def test_a_store_that_cannot_be_reached_is_named_without_its_password(tell, store):
    tell.write(store=store)
    for words in (["check"], ["check", "--json"], ["worker"], ["status"], ["doctor", "--json"]):
        assert tell(*words)[0] not in (0, None)


@pytest.mark.parametrize(
    "broker",
    [
        "kafka://127.0.0.1:PORT?security_protocol=SASL_PLAINTEXT&sasl_mechanism=PLAIN",
        f"kafka://me:{KAFKA_PASSWORD}@127.0.0.1:PORT",
        f"nonsense://me:{KAFKA_PASSWORD}@host",
    ],
)
def test_a_broker_that_cannot_be_reached_is_named_without_its_password(tell, broker):
    tell.write(broker=broker)
    for words in (["check"], ["worker"], ["produce", "-"], ["doctor"]):
        assert tell(*words)[0] != 0


def test_a_configuration_that_is_wrong_does_not_repeat_its_secrets(here, tell):
    bad = [
        f'webhook = "ftp://host/{HOOK_PATH}"',
        f'webhook = "http://me:{HOOK_TOKEN}@host/x"',
        f'webhok = "http://host/{HOOK_PATH}"',
        f'alertmanager = ["{MANAGER_TOKEN}"]',
        f'token = "{HOOK_TOKEN}"',
    ]
    for line in bad:
        text = TEXT.partition("[alerts]")[0].format(broker="sqlite:///l.db", store="sqlite:///s.db")
        (here / "riverrun.toml").write_text(f"{text}[alerts]\n{line}\n")
        code, _, err = tell("check", "--json")
        assert code == 2, err


def test_secrets_do_not_show_themselves():
    secrets = read_secrets(ENVIRONMENT)
    assert not shown(repr(secrets) + str(secrets) + f"{secrets}")
    assert repr(Secrets()) == "Secrets(hidden)"


def test_neither_metrics_nor_answers_nor_pages_hold_one(make_world, nobody):
    world = make_world(
        alerts={"webhook": f"http://127.0.0.1:{nobody}/services/{HOOK_PATH}"},
        oidc={},
    )
    world.learn()
    with world.api() as client:
        paths = ["/metrics", "/readyz", "/healthz", "/openapi.json", "/docs"]
        paths += ["/ui/flights/system", "/ui/flights/overview"]
        described = client.get("/openapi.json").json()["paths"]
        for path, operations in described.items():
            if "get" in operations and "live" not in path and path.count("{") <= 1:
                paths.append(path.replace("{stream}", "flights"))
        assert len(paths) > 20
        for path in paths:
            with client.stream("GET", path) as answer:
                if "event-stream" in answer.headers.get("content-type", ""):
                    continue
                answer.read()
                assert answer.status_code < 500 or path == "/readyz", path
                assert not shown(answer.text), path


def test_the_system_page_hides_what_is_secret():
    from serve.api.insight.configuration import settings_of

    config = Config(
        stream={"name": "s", "store": f"postgresql+psycopg://me:{STORE_PASSWORD}@db/x"},
        event={"label": "y"},
        model={"task": "binary", "pipeline": "linear_model.LogisticRegression()"},
        alerts={"webhook": f"https://hooks.example/services/{HOOK_PATH}"},
    )
    assert not shown(str(settings_of(config)))
