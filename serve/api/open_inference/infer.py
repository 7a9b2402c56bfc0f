"""``POST /v2/models/{stream}/infer``: rows in, predictions out."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serve.api.bodies import decode, read_body, read_bytes
from serve.api.live_model import Live
from serve.api.open_inference.tensors import Tensor, as_bytes, refuse, rows_of
from serve.api.predicting.answer import answer_one
from serve.api.predicting.offsets import model_that_read
from serve.api.predicting.prefetch import bring_keys
from serve.api.problems import FieldError, Problem, ProblemError, problem_of
from serve.api.served_stream import ServedStream
from stream.sections import Task

HEADER_LENGTH = "inference-header-content-length"
"""Header of Triton's extension: bytes of JSON, behind which the values of tensors follow."""

OUTPUTS: dict[Task, list[tuple[str, str]]] = {
    "binary": [("prediction", "BOOL"), ("probabilities", "FP64"), ("classes", "BYTES")],
    "multiclass": [("prediction", "BYTES"), ("probabilities", "FP64"), ("classes", "BYTES")],
    "regression": [("prediction", "FP64")],
    "anomaly": [("prediction", "FP64")],
}
"""Names and types of the outputs, by task."""

_Parameters = dict[str, bool | int | float | str]


class _Output(msgspec.Struct):
    name: str
    parameters: _Parameters | None = None


class _Asked(msgspec.Struct):
    inputs: list[Tensor]
    id: Annotated[str, msgspec.Meta(max_length=1_024)] | None = None
    parameters: _Parameters | None = None
    outputs: list[_Output] | None = None


class _Answer(msgspec.Struct, omit_defaults=True):
    model_name: str
    model_version: str
    outputs: list[Tensor]
    parameters: _Parameters
    id: str | None = None


class _Row(msgspec.Struct):
    prediction: bool | float | str | None
    probabilities: dict[str, float] | None
    recorded: bool


_asked = msgspec.json.Decoder(_Asked)
_row = msgspec.json.Decoder(_Row)
_encode = msgspec.json.Encoder().encode


async def infer(stream: ServedStream, request: Request, version: str | None) -> Response:
    """Answer one request.

    Raises
    ------
    ProblemError
    """
    asked, binary = await _read(stream, request)
    wanted = (asked.parameters or {}).get("min_offset")
    if wanted is not None and (type(wanted) is not int or wanted < 0):
        raise _wrong("parameters.min_offset", f"found {wanted!r}; an integer is expected")
    live = await model_that_read(stream, wanted)
    serve_version(stream, live, version)
    rows = rows_of(asked.inputs, binary, stream.config.api.max_batch)
    await bring_keys(stream, map(_encode, rows))
    answered = _predict(stream, live, rows, _is_recorded(stream, asked))
    outputs = _outputs(stream.config.model.task, answered)
    return _write(stream, live, asked, outputs, all(row.recorded for row in answered))


def serve_version(stream: ServedStream, live: Live, version: str | None) -> None:
    """End the request where another version is asked for than the one that answers."""
    if version not in (None, live.version):
        detail = f"{stream.name!r} is answered by version {live.version!r}, not {version[:100]!r}"
        raise ProblemError(problem_of(404, "unknown_version", detail, known=[live.version]))


async def _read(stream: ServedStream, request: Request) -> tuple[_Asked, bytes]:
    limits = stream.config.api
    length = request.headers.get(HEADER_LENGTH)
    if length is None:
        body = await read_body(request, limits.max_body_bytes, limits.body_timeout)
        return decode(_asked, body), b""
    body = await read_bytes(request, limits.max_body_bytes, limits.body_timeout)
    if not (length.isascii() and length.isdecimal() and len(length) < 12) or int(length) > len(
        body
    ):
        message = f"found {length[:40]!r}; the bytes of JSON in the {len(body)} of the body"
        raise _wrong(f"header.{HEADER_LENGTH}", message)
    return decode(_asked, body[: int(length)]), body[int(length) :]


def _is_recorded(stream: ServedStream, asked: _Asked) -> bool:
    record = (asked.parameters or {}).get("record")
    if record is None:
        return any(tensor.name == stream.config.event.id for tensor in asked.inputs)
    if not isinstance(record, bool):
        raise _wrong("parameters.record", f"found {record!r}; true or false is expected")
    return record


def _predict(
    stream: ServedStream, live: Live, rows: list[dict[str, Any]], record: bool
) -> list[_Row]:
    answered = []
    for number, row in enumerate(rows):
        event = {name: value for name, value in row.items() if value is not None}
        said = answer_one(stream, live, _encode(event), record, f"row[{number}]")
        if isinstance(said, Problem):
            raise ProblemError(said)
        found = _row.decode(said.body)
        if found.prediction is None:
            detail = f"row[{number}]: the model has nothing to say yet; label more events"
            raise ProblemError(problem_of(503, "no_prediction", detail), {"Retry-After": "1"})
        answered.append(found)
    return answered


def _outputs(task: Task, rows: list[_Row]) -> list[Tensor]:
    types = dict(OUTPUTS[task])
    said: list[Any] = [row.prediction for row in rows]
    if types["prediction"] == "BYTES":
        said = [str(one) for one in said]
    outputs = [Tensor("prediction", [len(rows)], types["prediction"], data=said)]  # type: ignore[arg-type]
    if all(row.probabilities is not None for row in rows) and "classes" in types:
        found = [row.probabilities or {} for row in rows]
        classes = sorted(set().union(*found)) or (["false", "true"] if task == "binary" else [])
        flat = [one.get(name, 0.0) for one in found for name in classes]
        outputs.append(Tensor("probabilities", [len(rows), len(classes)], "FP64", data=flat))
        outputs.append(Tensor("classes", [len(classes)], "BYTES", data=classes))
    return outputs


def _write(
    stream: ServedStream, live: Live, asked: _Asked, outputs: list[Tensor], recorded: bool
) -> Response:
    by_name = {tensor.name: tensor for tensor in outputs}
    wanted = asked.outputs or [_Output(name) for name in by_name]
    every_binary = (asked.parameters or {}).get("binary_data_output") is True
    tail = b""
    written = []
    for one in wanted:
        if one.name not in by_name:
            known = ", ".join(by_name)
            raise refuse("", f"give no output {one.name[:100]!r}; there are: {known}")
        tensor = by_name[one.name]
        if (one.parameters or {}).get("binary_data", every_binary) is True:
            tensor, data = as_bytes(tensor)
            tail += data
        written.append(tensor)
    parameters: _Parameters = {"learned_offset": live.learned_offset, "recorded": recorded}
    answer = _Answer(stream.name, live.version, written, parameters, asked.id)
    head = _encode(answer)
    if not tail:
        return Response(head, media_type="application/json")
    headers = {HEADER_LENGTH: str(len(head))}
    return Response(head + tail, media_type="application/octet-stream", headers=headers)


def _wrong(field: str, message: str) -> ProblemError:
    errors = [FieldError(field=field, message=message)]
    return ProblemError(problem_of(400, "invalid_request", f"{field}: {message}", errors=errors))
