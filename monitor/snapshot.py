"""A monitor's state as plain data, and back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.errors import DamagedError
from monitor.panes import Pane
from monitor.reference import Reference
from monitor.schema import Schema
from monitor.schema_text import schema_from_toml, schema_to_toml
from monitor.trigger import TriggerState

VERSION = 1


@dataclass(slots=True)
class Snapshot:
    """What a monitor remembers.

    Parameters
    ----------
    schema, reference
        None during the warm-up.
    open, closed
        The open pane, and the last closed ones.
    key
        Number of the open pane on the axis of event time.
    index, seen
        Panes closed, and events seen.
    trigger, concept
        State of the trigger and of the concept monitor.
    warmup
        Events of the warm-up, with their predictions.
    labels
        Labels since the last pane closed; events and labels of the last ones.
    """

    schema: Schema | None
    reference: Reference | None
    open: Pane
    closed: tuple[Pane, ...]
    key: int | None
    index: int
    seen: int
    trigger: TriggerState
    concept: dict[str, Any]
    warmup: list[tuple[Mapping[str, Any], Any]]
    labels: tuple[int, list[tuple[int, int]]]


class _Stored(msgspec.Struct):
    version: int
    schema: str | None
    reference: dict[str, Any] | None
    open: str
    closed: list[str]
    key: int | None
    index: int
    seen: int
    trigger: TriggerState
    concept: dict[str, Any]
    warmup: list[tuple[dict[str, Any], Any]]
    labels: tuple[int, list[tuple[int, int]]] = (0, [])


def write_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    """Give a snapshot as plain data.

    Parameters
    ----------
    snapshot
        The state.

    Returns
    -------
    dict
        Of strings, numbers, lists and dicts; equal states give equal data.
    """
    stored = _Stored(
        version=VERSION,
        schema=schema_to_toml(snapshot.schema) if snapshot.schema else None,
        reference=snapshot.reference.to_data() if snapshot.reference else None,
        open=_write_pane(snapshot.open),
        closed=[_write_pane(pane) for pane in snapshot.closed],
        key=snapshot.key,
        index=snapshot.index,
        seen=snapshot.seen,
        trigger=snapshot.trigger,
        concept=snapshot.concept,
        warmup=[(dict(event), prediction) for event, prediction in snapshot.warmup],
        labels=snapshot.labels,
    )
    data: dict[str, Any] = msgspec.to_builtins(stored)
    return data


def read_snapshot(data: object) -> Snapshot:
    """Read what `write_snapshot` gave.

    Parameters
    ----------
    data
        Plain data.

    Returns
    -------
    Snapshot
        The state.

    Raises
    ------
    DamagedError
        Not a snapshot, or one of another version.
    """
    try:
        stored = msgspec.convert(data, _Stored)
        panes = [Pane.from_bytes(base64.b64decode(text)) for text in (stored.open, *stored.closed)]
    except (msgspec.ValidationError, ValueError) as error:
        raise DamagedError("snapshot", str(error)) from error
    if stored.version != VERSION:
        raise DamagedError("snapshot", f"version {stored.version}, expected {VERSION}")
    return Snapshot(
        schema=schema_from_toml(stored.schema) if stored.schema is not None else None,
        reference=Reference.from_data(stored.reference) if stored.reference else None,
        open=panes[0],
        closed=tuple(panes[1:]),
        key=stored.key,
        index=stored.index,
        seen=stored.seen,
        trigger=stored.trigger,
        concept=stored.concept,
        warmup=[(event, prediction) for event, prediction in stored.warmup],
        labels=stored.labels,
    )


def _write_pane(pane: Pane) -> str:
    return base64.b64encode(pane.to_bytes()).decode()
