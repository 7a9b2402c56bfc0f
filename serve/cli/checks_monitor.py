"""What ``check`` finds about the monitor: the schema's file, and names that do not exist."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from monitor.schema import Schema
from monitor.schema_text import schema_from_toml
from serve.cli.drift_choice import some
from serve.compose import Secrets
from serve.status_reading import NoCheckpointError, store_to_read
from serve.stored_monitor import read_view
from stream.config import Config
from stream.errors import ConfigError, Problem
from stream.schema_file import SchemaFile


def read_schema_file(config: Config, path: Path) -> Schema | None:
    """Return the schema that the configuration names, or None.

    Raises
    ------
    ConfigError
        It cannot be used.
    """
    return SchemaFile(config, str(path)).read()


def schema_summary(config: Config, schema: Schema | None) -> str:
    """Say what events are checked against, and where the file and the configuration differ."""
    section = config.monitor
    if not section.enabled:
        return "nothing is watched: monitor.enabled is false"
    if schema is None:
        return f"none given: it is inferred from the first {section.warmup_events:,} events"
    parts = [f"{section.schema_file}: {len(schema.names):,} features"]
    listed = config.event.features
    if listed is not None:
        unknown = [name for name in listed if name not in schema.known]
        never = [name for name in schema.names if name not in listed]
        if unknown:
            parts.append(f"not in it, so that each event warns: {some(unknown)}")
        if never:
            parts.append(f"not in event.features, so that they never come: {some(never)}")
    return "; ".join(parts)


def segments_summary(config: Config, path: Path, secrets: Secrets, schema: Schema | None) -> str:
    """Say by which features performance is kept apart.

    Raises
    ------
    ConfigError
        Some of them do not exist.
    StoreError
    """
    segments = config.monitor.segments or ()
    known = _features(config, secrets, schema)
    if known is None:
        return f"{some(segments)}; whether they exist shows with the first schema"
    problems = [
        Problem("monitor.segments", repr(name), f"no such feature; {_hint(name, known)}")
        for name in segments
        if name not in known
    ]
    if problems:
        raise ConfigError(str(path), problems)
    return some(segments)


def _features(config: Config, secrets: Secrets, schema: Schema | None) -> Sequence[str] | None:
    """Return the features of events as far as anybody knows them."""
    if schema is not None:
        return schema.names
    if config.event.features is not None:
        return config.event.features
    return _stored(config, secrets)


def _stored(config: Config, secrets: Secrets) -> Sequence[str] | None:
    try:
        with store_to_read(config, secrets) as store:
            _, view = read_view(store)
    except NoCheckpointError:
        return None
    return None if view is None or view.schema is None else schema_from_toml(view.schema).names


def _hint(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {some(known)}"
