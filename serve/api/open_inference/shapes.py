"""The shapes of the Open Inference Protocol, as OpenAPI shows them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serve.api.openapi import DESCRIPTIONS

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
Parameters = dict[str, bool | int | float | str]

_OUTPUTS = [
    {"name": "prediction", "shape": [2], "datatype": "BOOL", "data": [True, False]},
    {
        "name": "probabilities",
        "shape": [2, 2],
        "datatype": "FP64",
        "data": [0.31, 0.69, 0.82, 0.18],
    },
    {"name": "classes", "shape": [2], "datatype": "BYTES", "data": ["false", "true"]},
]


def _example(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(
        json_schema_extra={"examples": [example]}, protected_namespaces=(), extra="allow"
    )


class OpenInferenceError(BaseModel):
    """Why a request failed."""

    model_config = _example({"error": "there is no stream 'x'; served here: flights"})

    error: str


class ServerLive(BaseModel):
    """The process answers."""

    live: bool = True


class ServerReady(BaseModel):
    """Everything that serving needs works."""

    ready: bool = True


class ServerMetadata(BaseModel):
    """What this server is."""

    name: str = "riverrun"
    version: str
    extensions: list[str] = Field(["binary_tensor_data"], description="Triton's, in and out.")


class TensorMetadata(BaseModel):
    """One tensor that a model takes or gives."""

    name: str = Field(description="Of an input: the feature, or the field with id or time.")
    datatype: Datatype
    shape: list[int] = Field(description="-1 is any number: of rows, or of classes.")


class ModelMetadata(BaseModel):
    """What a stream's model takes and gives."""

    model_config = _example(
        {
            "name": "flights",
            "versions": ["v1"],
            "platform": "river",
            "inputs": [{"name": "distance", "datatype": "INT64", "shape": [-1]}],
            "outputs": [{"name": "prediction", "datatype": "BOOL", "shape": [-1]}],
        }
    )

    name: str
    versions: list[str] = Field(description="The one that answers.")
    platform: str = "river"
    inputs: list[TensorMetadata] = Field(
        description="By the served schema; before there is one, by event.types and event.features."
    )
    outputs: list[TensorMetadata]


class ModelReady(BaseModel):
    """The stream's model answers."""

    name: str
    ready: bool = True


class InputTensor(BaseModel):
    """One feature of all rows."""

    name: str = Field(description="The feature, or the field with the id or the time.")
    shape: list[int] = Field(description="[rows] or [rows, 1].")
    datatype: Datatype
    parameters: Parameters | None = None
    data: list[Any] | None = Field(
        None,
        description="One value a row, flat or nested; null is a missing one. Absent where the "
        "values follow the JSON as bytes.",
    )


class RequestedOutput(BaseModel):
    """One output that is wanted."""

    name: Literal["prediction", "probabilities", "classes"]
    parameters: Parameters | None = None


class InferRequest(BaseModel):
    """Rows to predict, column by column."""

    model_config = _example(
        {
            "id": "42",
            "inputs": [
                {"name": "carrier", "shape": [2], "datatype": "BYTES", "data": ["UA", "AA"]},
                {"name": "distance", "shape": [2], "datatype": "INT64", "data": [1400, 733]},
            ],
        }
    )

    id: str | None = Field(None, description="Comes back in the answer.")
    parameters: Parameters | None = Field(
        None,
        description="record (boolean): as in /predict; default, whether the id's field is an "
        "input. min_offset (integer): as in /predict.",
    )
    inputs: list[InputTensor]
    outputs: list[RequestedOutput] | None = Field(None, description="Default all.")


class OutputTensor(BaseModel):
    """One output for all rows."""

    name: str
    shape: list[int]
    datatype: Datatype
    parameters: Parameters | None = None
    data: list[Any] | None = None


class InferAnswer(BaseModel):
    """Predictions of all rows."""

    model_config = _example(
        {
            "model_name": "flights",
            "model_version": "v1",
            "id": "42",
            "parameters": {"learned_offset": 20417, "recorded": False},
            "outputs": _OUTPUTS,
        }
    )

    model_name: str
    model_version: str
    id: str | None = None
    parameters: Parameters | None = None
    outputs: list[OutputTensor]


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return a route's ``responses`` for what may go wrong, in the protocol's shape."""
    return {
        status: {"description": DESCRIPTIONS[status], "model": OpenInferenceError}
        for status in (*statuses, 500)
    }
