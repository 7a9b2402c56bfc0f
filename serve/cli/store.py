"""``riverrun store``: the version of the store's tables, and upgrading them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from serve.cli.console import print_json, say
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from stream.config import Config


def store_version(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Say which version the store's tables have, and which this riverrun needs.

    Nothing is changed. Leaves with 1 where the two differ, or there are no tables yet.
    """
    from stream.storage.schema import found_version
    from stream.storage.tables import SCHEMA_VERSION

    with opened_engine(config) as (engine, settings):
        exists = _exists(settings)
        found = found_version(engine) if exists else None
    fits = found == SCHEMA_VERSION
    if as_json:
        print_json({"store": found, "riverrun": SCHEMA_VERSION, "fits": fits})
    else:
        typer.echo(_told(found, SCHEMA_VERSION))
    if not fits:
        raise typer.Exit(1)


def store_upgrade(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Create the store's tables, or bring those of an older riverrun up to date.

    All of it happens in one transaction: an upgrade that fails or is killed leaves the store as it
    was. Others that open the store meanwhile wait. There is no way back but a backup.
    """
    from stream.storage.schema import upgrade
    from stream.storage.tables import SCHEMA_VERSION

    with opened_engine(config) as (engine, _):
        found = upgrade(engine)
    if as_json:
        print_json({"found": found, "store": SCHEMA_VERSION, "upgraded": found != SCHEMA_VERSION})
    elif found == SCHEMA_VERSION:
        say(f"the store has version {SCHEMA_VERSION} already: nothing to do")
    elif found is None:
        say(f"created the tables, version {SCHEMA_VERSION}")
    else:
        say(f"upgraded the tables from version {found} to {SCHEMA_VERSION}")


@contextmanager
def opened_engine(config: Path) -> Iterator[tuple[Engine, Config]]:
    """Connect to the store of a configuration, whatever tables it has."""
    from serve.cli.logs import configure_logs
    from stream.load_config import load_config
    from stream.storage.connect import connect

    configure_logs(LogLevel.ERROR)
    settings = load_config(config)
    engine = connect(settings.stream.store)
    try:
        yield engine, settings
    finally:
        engine.dispose()


def _exists(settings: Config) -> bool:
    """Return whether there is something to connect to: a look must not make a file."""
    from serve.status_reading import missing_file

    return missing_file(settings.stream.store) is None


def _told(found: int | None, known: int) -> str:
    if found is None:
        return f"the store has no tables yet; this riverrun makes those of version {known}"
    if found == known:
        return f"the store's tables have version {known}, as this riverrun needs"
    advice = "run 'riverrun store upgrade'" if found < known else "a newer riverrun upgraded it"
    return f"the store's tables have version {found}, this riverrun needs {known}: {advice}"
