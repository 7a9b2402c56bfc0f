"""Upgrading the tables of an older store by Alembic's migrations, in the caller's transaction."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from stream.storage.tables import SCHEMA_VERSION

_log = structlog.get_logger("riverrun.store")

_ALEMBIC = Lock()
"""Alembic's environment belongs to the whole process."""


def run_migrations(connection: Connection, store: str, found: int) -> None:
    """Upgrade the tables to the newest version.

    A store that no migration has touched yet goes through all of them: those up to version 4 look
    before they create.

    Parameters
    ----------
    connection
        In a transaction that writes; who opened it commits it.
    store
        Its URL without password, for the log.
    found
        The version it has.
    """
    with _ALEMBIC:
        command.upgrade(migrations_config(connection), "head")
    _log.warning("store_upgraded", store=store, found=found, version=SCHEMA_VERSION)


def migrations_config(connection: Connection) -> Config:
    """Return what Alembic needs to work on an open connection."""
    config = Config()
    # Alembic fills in %(...)s there.
    folder = str(Path(__file__).with_name("migrations")).replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.attributes["connection"] = connection
    return config
