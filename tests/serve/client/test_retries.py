"""What is sent again, and what never is: against answers that a script gives."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from serve.client import (
    ApiError,
    AsyncClient,
    Client,
    ForbiddenError,
    NoAnswerError,
    RateLimitedError,
    Retries,
    UnauthorizedError,
    UnavailableError,
)
from serve.client.errors import error_of
from serve.client.retries import Repeat

QUICK = Retries(attempts=3, first_seconds=0.001)
EVENT = {"id": "a", "x": 1.0}
PREDICTION = {
    "event_id": "a",
    "prediction": True,
    "probabilities": None,
    "model_version": "v1",
    "learned_offset": 1,
    "staleness_seconds": 0.0,
    "recorded": True,
    "a_field_of_tomorrow": 1,
}
ASKED = {
    "request": 1,
    "kind": "retrain",
    "state": "waiting",
    "outcome": None,
    "by": "api",
    "asked_at": "2026-01-01T00:00:00Z",
    "answered_at": None,
    "url": "/",
}


def problem(status: int, kind: str, **headers: str) -> httpx.Response:
    body = {"type": f"urn:riverrun:problem:{kind}", "status": status, "detail": "as it is"}
    return httpx.Response(status, json=body, headers=headers)


class Script(httpx.MockTransport):
    """Gives the answers of a script one after another, then good ones, and counts."""

    def __init__(self, *answers: httpx.Response | Exception, good: dict | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = list(answers)
        self._good = good or PREDICTION
        super().__init__(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if not self._answers:
            return httpx.Response(200, json=self._good)
        found = self._answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


def client_of(script: Script, **options) -> Client:
    made = {"id_field": "id", "retries": QUICK} | options
    return Client("http://api", "s", transport=script, **made)


LOST = httpx.ReadTimeout("lost")
UNSENT = httpx.ConnectError("refused")


@pytest.mark.parametrize(
    "failed",
    [LOST, UNSENT, problem(503, "no_model"), problem(429, "rate_limited"), problem(502, "x")],
)
def test_an_event_with_an_id_is_sent_again(failed):
    script = Script(failed, failed)
    with client_of(script) as client:
        assert client.predict(EVENT).prediction is True
    assert len(script.requests) == 3
    assert len({bytes(request.content) for request in script.requests}) == 1


def test_a_server_that_says_when_to_ask_again_is_asked_again():
    script = Script(problem(409, "offset_not_reached", **{"Retry-After": "0"}))
    with client_of(script) as client:
        client.predict({"x": 1.0}, record=False, min_offset=7)
    assert len(script.requests) == 2


@pytest.mark.parametrize("options", [{"id_field": None}, {}])
def test_an_event_without_a_known_id_is_only_sent_again_where_nothing_was_done(options):
    event = EVENT if options else {"x": 1.0}
    for failed, tries in (
        (LOST, 1),
        (UNSENT, 2),
        (problem(503, "no_model"), 2),
        (problem(503, "log_unreachable"), 1),
    ):
        script = Script(failed)
        with client_of(script, **options) as client:
            if tries == 1:
                with pytest.raises((NoAnswerError, UnavailableError)):
                    client.predict(event)
            else:
                client.predict(event)
        assert len(script.requests) == tries, failed


def test_a_question_that_leaves_no_trace_is_always_asked_again():
    script = Script(LOST)
    with client_of(script, id_field=None) as client:
        client.predict({"x": 1.0}, record=False)
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    "failed", [LOST, UNSENT, problem(503, "store_unreachable"), problem(429, "rate_limited")]
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.retrain("why"),
        lambda client: client.promote("v2", "why"),
        lambda client: client.rollback("why"),
        lambda client: client.cancel(1, "why"),
    ],
)
def test_a_control_action_is_never_sent_again(ask, failed):
    script = Script(failed, good=ASKED)
    with client_of(script) as client, pytest.raises((ApiError, NoAnswerError)):
        ask(client)
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
def test_what_would_fail_again_is_not_sent_again(status):
    script = Script(problem(status, "some_kind"))
    with client_of(script) as client, pytest.raises(ApiError) as caught:
        client.predict(EVENT)
    assert (caught.value.status, caught.value.kind) == (status, "some_kind")
    assert len(script.requests) == 1


def test_it_gives_up_in_the_end_and_says_whether_it_was_sent():
    script = Script(*[LOST] * 5)
    with client_of(script) as client, pytest.raises(NoAnswerError, match="may have been obeyed"):
        client.predict(EVENT)
    assert len(script.requests) == 3


def test_retry_after_is_honoured_in_seconds_and_as_a_date():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    for header, least in (("0.3", 0.3), (later, 0.5)):
        script = Script(problem(429, "rate_limited", **{"Retry-After": header}))
        started = time.monotonic()
        with client_of(script) as client:
            client.predict(EVENT)
        assert time.monotonic() - started >= least


def test_a_server_that_asks_for_a_long_pause_is_left_alone():
    script = Script(problem(429, "rate_limited", **{"Retry-After": "3600"}))
    with client_of(script) as client, pytest.raises(RateLimitedError) as caught:
        client.predict(EVENT)
    assert caught.value.retry_after == 3600
    assert len(script.requests) == 1


def test_pauses_grow_to_a_limit_and_are_spread():
    always = Retries(attempts=99, first_seconds=1, longest_seconds=5, jitter=lambda: 1.0)
    lost = NoAnswerError("http://api", "lost", was_sent=True)
    pauses = [always.delay(Repeat.ALWAYS, lost, failures) for failures in range(1, 6)]
    assert pauses == [1, 2, 4, 5, 5]
    spread = {Retries().delay(Repeat.ALWAYS, lost, 1) for _ in range(20)}
    assert len(spread) > 10
    assert all(0.1 <= pause <= 0.2 for pause in spread)


def test_a_key_is_sent_as_a_bearer_token_and_refusals_have_types():
    script = Script(problem(401, "unknown_key"), problem(403, "wrong_role"))
    with client_of(script, api_key="secret", by="me") as client:
        with pytest.raises(UnauthorizedError):
            client.predict(EVENT)
        with pytest.raises(ForbiddenError):
            client.predict(EVENT)
    assert script.requests[0].headers["authorization"] == "Bearer secret"
    assert script.requests[0].headers["x-requested-by"] == "me"


def test_the_answer_of_something_between_is_an_error_too():
    error = error_of(httpx.Response(502, text="<html>Bad Gateway</html>"))
    assert isinstance(error, UnavailableError)
    assert (error.kind, error.problem.detail) == ("about:blank", "<html>Bad Gateway</html>")


def test_the_async_client_retries_alike():
    async def ask() -> int:
        script = Script(LOST, problem(503, "no_model"))
        async with AsyncClient(
            "http://api", "s", id_field="id", retries=QUICK, transport=script
        ) as client:
            await client.predict(EVENT)
        control = Script(LOST, good=ASKED)
        async with AsyncClient("http://api", "s", retries=QUICK, transport=control) as client:
            with pytest.raises(NoAnswerError):
                await client.retrain("why")
        return len(script.requests) * 10 + len(control.requests)

    assert asyncio.run(ask()) == 31


def test_names_are_escaped_in_paths():
    script = Script(problem(404, "x"), problem(404, "x"))
    with Client("http://api/", "a/b", transport=script) as client:
        for ask in (lambda: client.prediction("x/y?z"), lambda: client.promote("../v1", "r")):
            with pytest.raises(ApiError):
                ask()
    paths = [request.url.raw_path for request in script.requests]
    assert paths == [
        b"/v1/streams/a%2Fb/predictions/x%2Fy%3Fz",
        b"/v1/streams/a%2Fb/models/..%2Fv1/promote",
    ]
