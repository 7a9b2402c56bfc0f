"""Tensors to events, and answers to tensors: columns in, columns out."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import msgspec
import numpy as np

from serve.api.open_inference.shapes import Datatype
from serve.api.problems import FieldError, ProblemError, problem_of

_NUMPY: dict[str, str] = {
    "BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
    "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
_FLOATS = ("FP16", "FP32", "FP64")
_LENGTH_BYTES = 4


class Tensor(msgspec.Struct, omit_defaults=True):
    """A tensor of a request or an answer."""

    name: str
    shape: list[int]
    datatype: Datatype
    parameters: dict[str, bool | int | float | str] | None = None
    data: list[Any] | None = None


def rows_of(inputs: Sequence[Tensor], binary: bytes, max_rows: int) -> list[dict[str, Any]]:
    """Return the events that some columns are.

    Parameters
    ----------
    inputs
        Tensors of shape (rows,) or (rows, 1).
    binary
        What followed the JSON: the values of inputs with ``binary_data_size``, in their order.
    max_rows
        More are refused.

    Raises
    ------
    ProblemError
        400, naming the input.
    """
    columns: dict[str, list[Any]] = {}
    rows: int | None = None
    for tensor in inputs:
        if tensor.name in columns:
            raise refuse(tensor.name, "is there twice")
        count = _rows(tensor)
        if count > max_rows:
            raise refuse(tensor.name, f"has {count:,} rows; api.max_batch = {max_rows:,}")
        if rows is not None and count != rows:
            raise refuse(tensor.name, f"has {count} rows where another input has {rows}")
        rows = count
        size = (tensor.parameters or {}).get("binary_data_size")
        if size is None:
            columns[tensor.name] = _checked(tensor, count)
        else:
            if type(size) is not int or not 0 <= size <= len(binary):
                raise refuse(tensor.name, f"has binary_data_size {size}; {len(binary)} bytes came")
            columns[tensor.name] = _from_bytes(tensor, binary[:size], count)
            binary = binary[size:]
    if binary:
        raise refuse("", f"{len(binary)} bytes more than the inputs' binary_data_size came")
    return [{name: values[row] for name, values in columns.items()} for row in range(rows or 0)]


def refuse(name: str, message: str) -> ProblemError:
    """Return what ends a request whose input is wrong."""
    field = f"inputs.{name[:200]}" if name else "inputs"
    errors = [FieldError(field=field, message=message)]
    return ProblemError(problem_of(400, "wrong_tensor", f"{field} {message}", errors=errors))


def as_bytes(tensor: Tensor) -> tuple[Tensor, bytes]:
    """Return a tensor whose values follow the JSON, and those."""
    values = tensor.data or []
    if tensor.datatype == "BYTES":
        texts = [value.encode() for value in values]
        data = b"".join(len(text).to_bytes(_LENGTH_BYTES, "little") + text for text in texts)
    else:
        data = np.array(values, _NUMPY[tensor.datatype]).tobytes()
    head = Tensor(tensor.name, tensor.shape, tensor.datatype, {"binary_data_size": len(data)})
    return head, data


def _rows(tensor: Tensor) -> int:
    shape = tensor.shape
    if len(shape) not in (1, 2) or shape[1:] not in ([], [1]) or shape[0] < 0:
        raise refuse(tensor.name, f"has shape {shape[:8]}; [rows] or [rows, 1] is expected")
    return shape[0]


def _checked(tensor: Tensor, count: int) -> list[Any]:
    data = tensor.data
    if data is None:
        raise refuse(tensor.name, "has neither data nor binary_data_size")
    if len(data) == count and any(isinstance(value, list) for value in data):
        data = [
            value[0] if isinstance(value, list) and len(value) == 1 else value for value in data
        ]
    if len(data) != prod(tensor.shape):
        raise refuse(tensor.name, f"has {len(data)} values where its shape says {count}")
    for row, value in enumerate(data):
        if value is not None and not _fits(value, tensor.datatype):
            shown = repr(value)[:80]
            raise refuse(tensor.name, f"has {shown} in row {row}, which is no {tensor.datatype}")
    if tensor.datatype in _FLOATS:  # JSON writes 1.0 as 1, too, and a model may tell them apart
        data = [_as_float(tensor.name, row, value) for row, value in enumerate(data)]
    return data


def _as_float(name: str, row: int, value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:
        raise refuse(name, f"has a number in row {row} that no FP64 can hold") from None


def _fits(value: Any, datatype: Datatype) -> bool:
    if datatype == "BOOL":
        return isinstance(value, bool)
    if datatype == "BYTES":
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if datatype in _FLOATS:
        return True
    limits = np.iinfo(_NUMPY[datatype])
    return isinstance(value, int) and int(limits.min) <= value <= int(limits.max)


def _from_bytes(tensor: Tensor, data: bytes, count: int) -> list[Any]:
    if tensor.datatype == "BYTES":
        return _texts(tensor.name, data, count)
    kind = np.dtype(_NUMPY[tensor.datatype])
    if len(data) != count * kind.itemsize:
        message = f"has {len(data)} bytes where {count} of {tensor.datatype} are "
        raise refuse(tensor.name, message + str(count * kind.itemsize))
    found = np.frombuffer(data, kind)
    if tensor.datatype in _FLOATS and not np.isfinite(found).all():
        raise refuse(tensor.name, "has a value that is not finite")
    return list(found.tolist())


def _texts(name: str, data: bytes, count: int) -> list[Any]:
    texts: list[Any] = []
    rest = data
    while rest:
        length = int.from_bytes(rest[:_LENGTH_BYTES], "little")
        text, rest = rest[_LENGTH_BYTES : _LENGTH_BYTES + length], rest[_LENGTH_BYTES + length :]
        if len(text) != length or len(texts) == count:
            raise refuse(name, "has bytes that are not its elements with their lengths")
        try:
            texts.append(text.decode())
        except UnicodeDecodeError:
            raise refuse(name, f"has an element in row {len(texts)} that is not UTF-8") from None
    if len(texts) != count:
        raise refuse(name, f"has {len(texts)} elements where its shape says {count}")
    return texts
