"""Upgrading the tables of an older store by Alembic's migrations, in the caller's transaction."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import structlog
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, update

from stream.storage.tables import SCHEMA_VERSION, about

_log = structlog.get_logger("riverrun.store")

_ALEMBIC = Lock()
"""What Alembic's ``op`` works on belongs to the whole process."""


def migrations() -> ScriptDirectory:
    """Return the migrations that riverrun brings along."""
    return ScriptDirectory(str(Path(__file__).with_name("migrations")))


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
    script = migrations()

    def steps(heads: Any, _context: MigrationContext) -> list[MigrationStep]:
        done = heads[0] if heads else "base"
        wanted = reversed(list(script.iterate_revisions("head", done)))
        return [MigrationStep.upgrade_from_script(script.revision_map, one) for one in wanted]

    context = MigrationContext.configure(connection, opts={"fn": steps})
    with _ALEMBIC, Operations.context(context):
        context.run_migrations()
    # Every riverrun looks here, older ones too.
    version = str(SCHEMA_VERSION)
    connection.execute(update(about).where(about.c.key == "schema").values(value=version))
    _log.warning("store_upgraded", store=store, found=found, version=SCHEMA_VERSION)
