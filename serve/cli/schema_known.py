"""What ``riverrun.toml`` says of a sample's columns, so that its schema is that of the stream."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from serve.cli.options import DEFAULT_CONFIG
from stream.errors import ConfigError, InputError

if TYPE_CHECKING:
    from monitor.schema import FeatureType
    from stream.sections import EventSection

_TYPES: dict[str, FeatureType] = {"int": "int", "float": "float", "bool": "bool", "str": "string"}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a sample's columns.

    Parameters
    ----------
    left_out
        Columns that are no features, and why.
    types
        Of features, as events have them.
    notes
        What a person should know.
    """

    left_out: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, FeatureType] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def known_columns(config: Path | None, sample: Path) -> Known:
    """Look up a sample's columns in a configuration.

    Parameters
    ----------
    config
        The file; None for ``riverrun.toml`` where it is here, can be read and is of such columns.
    sample
        The sample's file.

    Raises
    ------
    ConfigError, InputError
        A file that was named cannot be used for the sample.
    """
    from stream.load_config import load_config

    path = config or DEFAULT_CONFIG
    if config is None and not path.exists():
        return Known()
    columns = _first_columns(sample)
    try:
        event = load_config(path).event
    except ConfigError as error:
        if config is not None:
            raise
        return Known(notes=(f"{path} cannot be read, and was not used: {error}",))
    needed = [name for name in (event.id, event.time, *(event.features or ())) if name is not None]
    missing = [name for name in needed if name not in columns]
    if not missing:
        return _known(event, columns, path)
    text = f"{path} is of other columns: {sample.name} has no {missing[0]!r}"
    if config is not None:
        raise InputError(f"{text}; name the configuration of these events, or a sample of that one")
    return Known(notes=(f"{text}, so it was not used",))


def _first_columns(sample: Path) -> Collection[str]:
    from serve.tabular.table import Table

    with Table(sample) as table:
        first = next(iter(table.batches()), None)
        return frozenset() if first is None else {*table.columns, *first.columns}


def _known(event: EventSection, columns: Collection[str], path: Path) -> Known:
    kept = event.features or ()
    roles = {"id": event.id, "event time": event.time, "label": event.label}
    left_out = {
        name: f"is the {role} in {path.name}"
        for role, name in roles.items()
        if name is not None and name in columns and name not in kept
    }
    if event.features is not None:
        for name in sorted(columns):
            if name not in kept and name not in left_out:
                left_out[name] = f"is no feature in {path.name}"
    types = {name: _TYPES[kind] for name, kind in event.types.items() if name in columns}
    return Known(left_out, {name: kind for name, kind in types.items() if name not in left_out})
