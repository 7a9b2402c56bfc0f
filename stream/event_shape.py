"""The shape of an event's JSON: a flat object of scalars, and the types that are declared of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import msgspec

from stream.sections import EventSection

Features = dict[str, str | int | float | bool | None]
Scalar = str | int | float | bool | None

_TYPES: dict[str, Any] = {"int": int, "float": float, "bool": bool, "str": str}


def object_decoder(event: EventSection) -> Callable[[bytes], Features]:
    """Return a decoder that checks declared types in C, and any scalar elsewhere."""
    if event.features is None and not event.types:
        return msgspec.json.Decoder(dict[str, Scalar]).decode
    if event.features is None:
        return _checked_decoder(event.types)
    names = {name for name in (event.id, event.time, event.label) if name is not None}
    fields: dict[str, Any] = dict.fromkeys([*sorted(names), *event.features], Scalar)
    fields |= {name: _TYPES[kind] | None for name, kind in event.types.items()}
    shape = _shape(fields)
    return msgspec.json.Decoder(shape).decode


def _checked_decoder(types: Mapping[str, str]) -> Callable[[bytes], Features]:
    """Return a decoder of any flat object, some of whose fields have a declared type."""
    decode = msgspec.json.Decoder(dict[str, Scalar]).decode
    shape = _shape({name: _TYPES[kind] | None for name, kind in types.items()})

    def checked(value: bytes) -> Features:
        fields = decode(value)
        fields.update(msgspec.convert(fields, shape))
        return fields

    return checked


def _shape(fields: dict[str, Any]) -> Any:
    """Return the typed dictionary of some fields.

    msgspec 0.22 does not see a key outside ASCII that was never encoded before in the process
    (its issue 1126), so each is encoded once.
    """
    msgspec.json.encode([*fields])
    return TypedDict("EventFields", fields, total=False)  # type: ignore[operator]
