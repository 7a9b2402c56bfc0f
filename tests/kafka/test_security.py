"""TLS and SASL with the real broker: who is let in, and what is said to who is not."""

from __future__ import annotations

import json
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from stream.errors import InputError, LogUnreachableError
from stream.logs.kafka_log import KafkaLog
from stream.logs.kafka_security import Credentials
from stream.logs.kafka_tokens import Tokens
from stream.logs.librdkafka_log import LibrdkafkaLog
from stream.records import NewRecord
from tests.kafka.broker import PASSWORD, USER, LocalKafka
from tests.kafka.certificates import KEY_PASSWORD
from tests.kafka.listeners import Doors
from tests.processes.forked import COMMAND, run_riverrun

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
KNOWN = Credentials(USER, PASSWORD)
WRONG = "a-wrong-password"
CLIENT_SECRET = "the-secret-of-the-client"


@pytest.fixture
def doors(kafka_broker: LocalKafka) -> Doors:
    return kafka_broker.doors


def goes_through(url: str, options: dict[str, str], credentials: Credentials) -> None:
    """Write a record and read it again, by both clients."""
    for kind in (KafkaLog, LibrdkafkaLog):
        log = kind(url, options=options, credentials=credentials)
        topic = uuid.uuid4().hex
        log.create_topics({topic: 1})
        log.sink().append([NewRecord(topic, None, b"mine")]).offsets()
        assert [record.value for record in log.source([topic]).poll(10, 30)] == [b"mine"]
        log.close()


def refusal(url: str, options: dict[str, str], credentials: Credentials | None = None) -> str:
    """Return what is said to who is not let in; it is one line."""
    with pytest.raises(LogUnreachableError) as raised:
        KafkaLog(url, options=options, credentials=credentials)
    said = str(raised.value)
    assert "\n" not in said
    assert WRONG not in said
    assert PASSWORD not in said
    return said


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_password_over_tls_lets_in_and_a_wrong_one_is_refused(doors: Doors, mechanism: str):
    options = {"sasl_mechanism": mechanism, "ssl_cafile": doors.file("ca.pem")}
    goes_through(doors.url("secure"), options, KNOWN)
    said = refusal(doors.url("secure"), options, Credentials(USER, WRONG))
    assert "refuses these credentials" in said
    assert "RIVERRUN_KAFKA_PASSWORD" in said


@pytest.mark.parametrize(("key", "password"), [("client.key", None), ("locked.key", KEY_PASSWORD)])
def test_mutual_tls_lets_in_who_has_a_certificate(doors: Doors, key: str, password: str | None):
    options = {
        "ssl_cafile": doors.file("ca.pem"),
        "ssl_certfile": doors.file("client.pem"),
        "ssl_keyfile": doors.file(key),
    }
    goes_through(doors.url("mutual"), options, Credentials(key_password=password))


def test_mutual_tls_refuses_who_has_none_or_a_stranger_s(doors: Doors) -> None:
    options = {"ssl_cafile": doors.file("ca.pem")}
    assert "refuses our certificate" in refusal(doors.url("mutual"), options)
    stranger = options | {"ssl_certfile": doors.file("stranger.pem")}
    assert "refuses our certificate" in refusal(doors.url("mutual"), stranger)


@pytest.mark.parametrize(
    ("door", "host", "options", "why"),
    [
        ("expired", "127.0.0.1", {"ssl_cafile": "ca.pem"}, "certificate has expired"),
        ("tls", "localhost", {"ssl_cafile": "ca.pem"}, "name the broker in stream.broker as its"),
        ("tls", "127.0.0.1", {"ssl_cafile": "other-ca.pem"}, "set ssl_cafile to the PEM file"),
        ("tls", "127.0.0.1", {"security_protocol": "SSL"}, "set ssl_cafile to the PEM file"),
        ("tls", "127.0.0.1", {}, "set security_protocol"),
        ("proxied", "127.0.0.1", {}, "Check that the broker runs"),
        ("secure", "127.0.0.1", {"ssl_cafile": "ca.pem"}, "over SSL"),
    ],
)
def test_tls_that_cannot_be_says_why(
    doors: Doors, door: str, host: str, options: dict[str, str], why: str
) -> None:
    files = {k: doors.file(v) if v.endswith(".pem") else v for k, v in options.items()}
    assert why in refusal(doors.url(door, host), files)


def test_a_broker_without_tls_is_told_from_one_with_it(kafka_broker: LocalKafka) -> None:
    options = {"ssl_cafile": kafka_broker.doors.file("ca.pem")}
    assert "check security_protocol" in refusal(kafka_broker.url, options)


def test_a_mechanism_that_the_broker_does_not_know_is_named(kafka_broker: LocalKafka) -> None:
    url = kafka_broker.sasl_url.partition("?")[0]
    options = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-256"}
    assert "does not know this sasl_mechanism" in refusal(url, options, KNOWN)


@pytest.mark.parametrize(
    ("options", "credentials", "complaint"),
    [
        ({"ssl_cafile": "/nowhere.pem"}, {}, "ssl_cafile: cannot use /nowhere.pem"),
        ({"ssl_cafile": "junk.pem"}, {}, "ssl_cafile: cannot use"),
        ({"ssl_cafile": "ca.pem", "ssl_keyfile": "client.key"}, {}, "found no ssl_certfile"),
        (
            {"ssl_cafile": "ca.pem", "ssl_certfile": "client.pem", "ssl_keyfile": "locked.key"},
            {"key_password": WRONG},
            "RIVERRUN_KAFKA_KEY_PASSWORD",
        ),
        ({"security_protocol": "PLAINTEXT", "ssl_cafile": "ca.pem"}, {}, "has no meaning over"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}, {}, "found neither"),
        ({"token_provider": "nosuch:thing"}, {}, "write package.module:function"),
        ({"token_url": "https://x/t", "token_provider": "json:loads"}, {}, "found both"),
        ({"token_url": "https://x/t"}, {}, "RIVERRUN_KAFKA_CLIENT_SECRET"),
        (
            {"token_url": "http://issuer.example/t", "token_client_id": "me"},
            {"client_secret": WRONG},
            "use https",
        ),
        ({"token_url": "https://x/t", "sasl_mechanism": "PLAIN"}, {}, "not for PLAIN"),
        ({"sasl_mechanism": "GSSAPI", "security_protocol": "SASL_SSL"}, {}, "use PLAIN, SCRAM"),
    ],
)
def test_wrong_options_are_explained_before_anything_is_sent(
    doors: Doors, options: dict[str, str], credentials: dict[str, str], complaint: str
) -> None:
    Path(doors.file("junk.pem")).write_text("no certificate")
    files = {
        k: doors.file(v) if v.endswith((".pem", ".key")) and v[0] != "/" else v
        for k, v in options.items()
    }
    with pytest.raises(InputError, match=complaint) as raised:
        KafkaLog(doors.url("secure"), options=files, credentials=Credentials(**credentials))
    assert WRONG not in str(raised.value)


@pytest.fixture
def provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Callable[[], Any]], str]]:
    """Return a function that makes somebody's own token provider importable."""
    name = f"provider_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text("def token():\n    return give()\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(give: Callable[[], Any]) -> str:
        module = __import__(name)
        module.give = give
        return f"{name}:token"

    yield make
    sys.modules.pop(name, None)


def test_own_code_gives_tokens_and_they_are_renewed_while_reading(
    doors: Doors, provider: Callable[..., str]
) -> None:
    given = []

    def give() -> tuple[str, float]:
        given.append(doors.token())
        return given[-1], 1.0

    options = {"token_provider": provider(give), "ssl_cafile": doors.file("ca.pem")}
    goes_through(doors.url("secure"), options, Credentials())
    assert given


def test_a_token_is_asked_for_anew_when_most_of_its_life_is_over() -> None:
    now, fetched = [0.0], []

    def fetch() -> tuple[str, float]:
        fetched.append(now[0])
        return f"token-{len(fetched)}", 100.0

    tokens = Tokens(fetch, clock=lambda: now[0])
    assert tokens.token() == "token-1"
    now[0] = 79.0
    assert tokens.token() == "token-1"
    now[0] = 80.0
    assert tokens.token() == "token-2"
    assert "token" not in repr(tokens)


@pytest.mark.parametrize("fault", ["stranger", "old", "audience", "raises", "empty"])
def test_a_token_that_does_not_count_is_refused(
    doors: Doors, provider: Callable[..., str], fault: str
) -> None:
    def give() -> object:
        if fault == "raises":
            raise RuntimeError(WRONG)
        tokens = {
            "stranger": doors.token(by_stranger=True),
            "old": doors.token(life=-600),
            "audience": doors.token(aud="somebody else"),
        }
        return tokens.get(fault, "")

    options = {"token_provider": provider(give), "ssl_cafile": doors.file("ca.pem")}
    said = refusal(doors.url("secure"), options)
    expected = {"raises": "it raised RuntimeError", "empty": "it gave no token"}
    assert expected.get(fault, "invalid_token") in said


class Issuer:
    """A token endpoint on this machine."""

    def __init__(self, doors: Doors) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer: tuple[int, Any] | None = None
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                issuer.asked.append((str(self.headers["Authorization"]), body))
                good = 200, {"access_token": doors.token(), "expires_in": 300}
                status, said = issuer.answer or good
                data = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def issuer(doors: Doors) -> Iterator[Issuer]:
    running = Issuer(doors)
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_client_credentials_are_exchanged_for_one_token(doors: Doors, issuer: Issuer) -> None:
    options = {
        "token_url": issuer.url, "token_client_id": "me", "token_scope": "kafka",
        "ssl_cafile": doors.file("ca.pem"),
    }  # fmt: skip
    goes_through(doors.url("secure"), options, Credentials(client_secret=CLIENT_SECRET))
    # The clients of each log share it.
    assert [body for _, body in issuer.asked] == ["grant_type=client_credentials&scope=kafka"] * 2
    assert issuer.asked[0][0].startswith("Basic ")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((401, {"error": "invalid_client"}), "it answered 401, invalid_client"),
        ((302, {}), "it answered 302"),
        ((200, {"expires_in": 5}), "it gave no token"),
        ((200, "no object"), "it gave no token"),
        (None, "it cannot be reached"),
    ],
)
def test_an_issuer_that_gives_no_token_is_named(
    doors: Doors, issuer: Issuer, answer: tuple[int, Any] | None, why: str
) -> None:
    issuer.answer = answer
    if answer is None:
        issuer.server.shutdown()
        issuer.server.server_close()
    options = {
        "token_url": issuer.url, "token_client_id": "me", "ssl_cafile": doors.file("ca.pem"),
    }  # fmt: skip
    with pytest.raises(LogUnreachableError, match=why) as raised:
        KafkaLog(
            doors.url("secure"),
            options=options,
            credentials=Credentials(client_secret=CLIENT_SECRET),
        )
    assert CLIENT_SECRET not in str(raised.value)


CONFIG = """\
[stream]
name = "{name}"
broker = "{broker}"

[kafka]
ssl_cafile = "{ca}"
sasl_mechanism = "PLAIN"  # by which the password itself is sent, and may be logged

[topics]
create = true

[event]
id = "id"
label = "y"

[model]
task = "binary"
pipeline = "linear_model.LogisticRegression()"
"""


@pytest.fixture
def command(
    doors: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Return what runs ``riverrun`` in a folder with a configuration for SASL over TLS."""

    name = f"s{uuid.uuid4().hex[:8]}"
    text = CONFIG.format(name=name, broker=doors.url("secure"), ca=doors.file("ca.pem"))
    (tmp_path / "riverrun.toml").write_text(text)
    rows = [json.dumps({"id": f"e{n}", "x": n % 7, "y": n % 7 > 3}) for n in range(60)]
    (tmp_path / "events.jsonl").write_text("\n".join(rows))
    (tmp_path / "password").write_text(PASSWORD + "\n")

    def run(*arguments: str, password: str | None = None) -> tuple[int, str]:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("RIVERRUN_")}
        environ |= {"RIVERRUN_KAFKA_USERNAME": USER}
        if password is None:
            environ["RIVERRUN_KAFKA_PASSWORD_FILE"] = str(tmp_path / "password")
        else:
            environ["RIVERRUN_KAFKA_PASSWORD"] = password
        environ["PYTHONWARNINGS"] = "ignore"
        done = run_riverrun(
            [*COMMAND, *arguments], cwd=tmp_path, env=environ, text=True, timeout=120
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_commands_go_over_sasl_and_tls_and_print_no_secret(
    command: Callable[..., tuple[int, str]],
) -> None:
    code, said = command("produce", "events.jsonl")
    assert code == 0, said
    code, said = command("worker", "--until-caught-up", "--json", "--log-level", "debug")
    assert code == 0, said
    assert '"learned": 60' in said
    assert "kafka" in said
    assert PASSWORD not in said  # though kafka-python writes whole configurations at this level
    for arguments in (["check"], ["dead-letters", "list"]):
        code, said = command(*arguments)
        assert code == 0, said
        assert PASSWORD not in said
    for arguments in (["worker"], ["produce", "events.jsonl"], ["api"]):
        code, said = command(*arguments, password=WRONG)
        assert code == 3, said
        assert "refuses these credentials" in said
        assert WRONG not in said
        assert "Traceback" not in said
