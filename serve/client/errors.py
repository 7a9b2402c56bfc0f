"""What may go wrong for a client, each with what is needed to act on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from serve.client.shapes import Problem

_SHOWN = 200


class ClientError(Exception):
    """The base of all errors of the client."""


class NoAnswerError(ClientError):
    """No answer came: the server was not reached, or was silent for too long.

    Parameters
    ----------
    url
        That was asked.
    reason
        What the transport said.
    was_sent
        Whether the request may have reached the server, and been obeyed.
    """

    def __init__(self, url: str, reason: str, *, was_sent: bool) -> None:
        self.url = url
        self.was_sent = was_sent
        sent = "it may have been obeyed" if was_sent else "it was not sent"
        super().__init__(f"{url}: no answer ({reason}); {sent}")


class ApiError(ClientError):
    """The API answered with a problem.

    Parameters
    ----------
    problem
        The document.
    retry_after
        Seconds after which the server wants to be asked again; None where it does not say.

    Attributes
    ----------
    status, kind
        The HTTP status, and the problem's kind, such as ``missing_id``.
    """

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        self.problem = problem
        self.status = problem.status
        self.kind = problem.kind
        self.retry_after = retry_after
        super().__init__(f"{problem.status} {problem.kind}: {problem.detail}")


class BadRequestError(ApiError):
    """400: the body cannot be read."""


class UnauthorizedError(ApiError):
    """401: the key is missing or unknown."""


class ForbiddenError(ApiError):
    """403: the key's role does not allow it."""


class NotFoundError(ApiError):
    """404: there is no such stream, version, run or prediction."""


class ConflictError(ApiError):
    """409: the stream's state or configuration does not allow it."""


class TooLargeError(ApiError):
    """413: send less at once."""


class RefusedEventError(ApiError):
    """422: the JSON is not what is expected; ``problem.errors`` names the fields."""


class RateLimitedError(ApiError):
    """429: too many requests of this key."""


class UnavailableError(ApiError):
    """502, 503 or 504: something that is needed does not work now."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    422: RefusedEventError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def error_of(response: httpx.Response) -> ApiError | None:
    """Return the error that an answer stands for, whose body was read; None for a good one."""
    if response.is_success:
        return None
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except msgspec.MsgspecError:  # something between us and the API answered
        text = response.text[:_SHOWN].strip() or response.reason_phrase
        problem = Problem(title=response.reason_phrase, detail=text)
    if problem.status != response.status_code:
        problem = msgspec.structs.replace(problem, status=response.status_code)
    kind = _BY_STATUS.get(response.status_code, ApiError)
    return kind(problem, _retry_after(response.headers.get("retry-after")))


def no_answer(url: str, error: httpx.TransportError) -> NoAnswerError:
    """Return the error that a transport's failure stands for."""
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return NoAnswerError(url, str(error) or type(error).__name__, was_sent=not unsent)


def _retry_after(text: str | None) -> float | None:
    """Return the seconds that a header asks for, given as such or as a date."""
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
