"""What both clients share: their settings, and how an answer or a failure is read."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import httpx
import msgspec
from httpx_sse import ServerSentEvent

from serve.client.calls import Call, Calls
from serve.client.errors import ClientError, error_of, no_answer
from serve.client.retries import Retries
from serve.client.shapes import LiveEvent, Problem

T = TypeVar("T")

LIVE_SECONDS = 45.0
"""Live events come with heartbeats every 15 seconds; after so long without any, they are asked
for anew."""


class UnreadableAnswerError(ClientError):
    """The answer is none of this API: another program answers there, or another version."""

    def __init__(self, url: str, error: Exception) -> None:
        super().__init__(f"{url}: the answer cannot be read: {error}")


class Settings:
    """What a client was made with.

    Parameters
    ----------
    url, stream, api_key, id_field, by, timeout_seconds, retries
        As for ``Client``.
    """

    def __init__(
        self,
        url: str,
        stream: str,
        *,
        api_key: str | None,
        id_field: str | None,
        by: str | None,
        timeout_seconds: float,
        retries: Retries | None,
    ) -> None:
        self.calls = Calls(stream, id_field)
        self.retries = retries or Retries()
        self.timeout_seconds = timeout_seconds
        headers = {"User-Agent": f"riverrun-client/{_own_version()}"}
        if api_key is not None:
            headers["Authorization"] = f"Bearer {api_key}"
        if by is not None:
            headers["X-Requested-By"] = by
        self.http: dict[str, Any] = {
            "base_url": url,
            "headers": headers,
            "timeout": httpx.Timeout(timeout_seconds),
        }

    def sent(self, call: Call[Any]) -> dict[str, Any]:
        """Return how httpx is asked to send a request."""
        asked: dict[str, Any] = {"method": call.method, "url": call.path, "params": call.query}
        if call.body is not None:
            asked |= {"content": call.body, "headers": {"Content-Type": "application/json"}}
        return asked

    def streamed(self, call: Call[Any], after: str | None) -> dict[str, Any]:
        """Return how httpx is asked for live events behind one."""
        headers = {} if after is None else {"Last-Event-ID": after}
        timeout = httpx.Timeout(self.timeout_seconds, read=LIVE_SECONDS)
        return {
            "method": call.method,
            "url": call.path,
            "params": call.query,
            "headers": headers,
            "timeout": timeout,
        }


def read(call: Call[T], response: httpx.Response) -> T:
    """Return what an answer says.

    Raises
    ------
    ApiError, UnreadableAnswerError
    """
    if (refused := error_of(response)) is not None:
        raise refused
    try:
        return call.read(response.content)
    except msgspec.MsgspecError as error:
        raise UnreadableAnswerError(str(response.url), error) from None


def failure(error: httpx.TransportError) -> ClientError:
    """Return the error that a transport's failure stands for."""
    try:
        url = str(error.request.url)
    except RuntimeError:  # it was raised before there was a request
        url = "the API"
    return no_answer(url, error)


def live_event(sse: ServerSentEvent) -> LiveEvent | None:
    """Return a live event; None for what carries none."""
    if not sse.data:
        return None
    data: dict[str, Any] = msgspec.json.decode(sse.data, type=dict[str, Any])
    return LiveEvent(sse.id, sse.event, data)


def is_passing(error: ClientError) -> bool:
    """Return whether live events may come again after an error."""
    problem: Problem | None = getattr(error, "problem", None)
    return problem is None or problem.status in (429, 502, 503, 504)


def _own_version() -> str:
    try:
        return version("riverrun")
    except PackageNotFoundError:
        return "uninstalled"
