"""Reading request bodies: bounded while they come in, JSON in UTF-8, and nothing else."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from serve.api.begun import within
from serve.api.problems import FieldError, Problem, ProblemError, problem_of

T = TypeVar("T")

# A refused body is still on its way: the connection cannot be used for another request.
_CLOSE = {"Connection": "close"}


async def read_body(request: Request, max_bytes: int, milliseconds: int = 30_000) -> bytes:
    """Return the body of a request that says it is JSON.

    Parameters
    ----------
    request
        Its stream is consumed.
    max_bytes
        Checked against Content-Length, and again while parts come in.
    milliseconds
        For all of them to come in.

    Raises
    ------
    ProblemError
        413 too large, 415 not JSON or compressed, 400 not UTF-8, 408 too slow.
    ClientDisconnect
    """
    if dict(request.scope["headers"]).get(b"content-type") != b"application/json":
        _refuse_other_types(request)
    body = await read_bytes(request, max_bytes, milliseconds)
    if not body.isascii():
        _refuse_other_encodings(body)
    return body


async def read_bytes(request: Request, max_bytes: int, milliseconds: int) -> bytes:
    """Return the body of a request, of any type but uncompressed; see ``read_body``."""
    headers = dict(request.scope["headers"])
    if b"content-encoding" in headers:
        _refuse_compressed(request)
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    try:
        return await within(milliseconds / 1000, _whole(request, max_bytes))
    except TimeoutError:
        raise _too_slow(milliseconds) from None


async def _whole(request: Request, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def is_ndjson(request: Request) -> bool:
    """Return whether a request says that its body is one JSON value a line, uncompressed."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("application/x-ndjson", "application/jsonl", "application/ndjson"):
        return False
    _refuse_compressed(request)
    return True


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return a body in the shape that a decoder expects.

    Raises
    ------
    ProblemError
        400 where it is not JSON, 422 where the JSON has another shape.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        # "Expected `bool`, got `int` - at `$.record`"
        message, _, place = str(error).partition(" - at `$")
        field = place.rstrip("`").lstrip(".") or "body"
        raise ProblemError(
            problem_of(
                422,
                "wrong_shape",
                f"{field}: {message}",
                errors=[FieldError(field=field, message=message)],
            )
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(str(error)) from None
    except RecursionError:
        raise _malformed("it is nested too deep") from None


def _refuse_other_types(request: Request) -> None:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    media_type = media_type.strip().lower()
    is_json = media_type in ("", "application/json") or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if not is_json:
        raise _wrong_type(
            "content-type",
            f"content-type {media_type[:80]!r} is not read; send JSON with the header "
            "'Content-Type: application/json'",
        )
    name, _, charset = parameters.strip().lower().partition("=")
    if name == "charset" and charset.strip('"') not in ("utf-8", "utf8", "us-ascii"):
        raise _wrong_type("content-type", f"charset {charset[:40]!r} is not read; send UTF-8")


def _refuse_compressed(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise _wrong_type(
            "content-encoding",
            f"content-encoding {encoding[:40]!r} is not read; send it uncompressed",
        )


def _refuse_other_encodings(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        detail = f"byte {error.start} is not UTF-8; send UTF-8"
        raise ProblemError(_of_body(400, "wrong_encoding", detail)) from None


def _too_large(max_bytes: int) -> ProblemError:
    detail = f"the body is over api.max_body_bytes = {max_bytes:,}; send less at once"
    return ProblemError(_of_body(413, "too_large", detail), _CLOSE)


def _too_slow(milliseconds: int) -> ProblemError:
    detail = f"the body did not come in within api.body_timeout = {milliseconds:,} ms"
    return ProblemError(_of_body(408, "body_timeout", detail), _CLOSE)


def _wrong_type(header: str, detail: str) -> ProblemError:
    errors = [FieldError(field=f"header.{header}", message=detail)]
    return ProblemError(problem_of(415, "unsupported_media_type", detail, errors=errors), _CLOSE)


def _malformed(reason: str) -> ProblemError:
    return ProblemError(_of_body(400, "malformed_json", f"the body is not JSON: {reason}"))


def _of_body(status: int, kind: str, detail: str) -> Problem:
    errors = [FieldError(field="body", message=detail)]
    return problem_of(status, kind, detail, errors=errors)
