"""The version of a store's tables: created where there are none, upgraded, or refused."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, func, insert, inspect, select, text

from stream.errors import StoreVersionError
from stream.storage.connect import reading, shown, writing
from stream.storage.tables import SCHEMA_VERSION, about, metadata

_LOCK = 0x72697665
"""Number of the lock under which one of many creates or upgrades the tables."""


def found_version(engine: Engine) -> int | None:
    """Return the version of the tables that are there; None for none.

    Raises
    ------
    StoreVersionError
        When it is no version at all.
    StoreUnreachableError
    """
    with reading(engine) as connection:
        return _found(connection, engine)


def prepare(engine: Engine) -> None:
    """Make sure that the tables are those of this riverrun.

    They are created where there are none. Older ones of SQLite are upgraded; those of a server,
    which others may be using, only by ``upgrade``.

    Raises
    ------
    StoreVersionError
        When they are newer, or older on a server.
    StoreUnreachableError
    """
    found = found_version(engine)
    if found is None or (engine.dialect.name == "sqlite" and found < SCHEMA_VERSION):
        upgrade(engine)
    elif found != SCHEMA_VERSION:
        raise _misfit(found, engine)


def upgrade(engine: Engine) -> int | None:
    """Create or upgrade the tables, in one transaction; others wait.

    Returns
    -------
    int or None
        The version that was found; None for an empty database.

    Raises
    ------
    StoreVersionError
        When the tables are newer than this riverrun.
    StoreUnreachableError
        Nothing was changed.
    """
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":  # SQLite's write lock is held already
            connection.execute(text("SET LOCAL lock_timeout = '10min'"))
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        found = _found(connection, engine)
        if found is None:
            _create(connection)
        elif found < SCHEMA_VERSION:
            # Alembic takes a while to import, and is hardly ever needed.
            from stream.storage.upgrading import run_migrations

            run_migrations(connection, shown(engine), found)
        elif found > SCHEMA_VERSION:
            raise _misfit(found, engine)
    return found


def _create(connection: Connection) -> None:
    """Create the newest tables at once; a test holds them to what the migrations lead to."""
    metadata.create_all(connection)
    connection.execute(insert(about).values(key="schema", value=str(SCHEMA_VERSION)))
    connection.execute(
        text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    )
    connection.execute(
        text("INSERT INTO alembic_version (version_num) VALUES (:revision)"),
        {"revision": f"{SCHEMA_VERSION:04}"},
    )


def _found(connection: Connection, engine: Engine) -> int | None:
    if not inspect(connection).has_table(about.name):
        return None
    query = select(about.c.value).where(about.c.key == "schema")
    value = connection.execute(query).scalar_one_or_none()
    if value is None or not (value.isascii() and value.isdigit()):
        raise StoreVersionError(
            f"store {shown(engine)} has a table {about.name!r} without a version of its tables "
            f"(found {value!r}): it is not a store, or damaged. Nothing was changed; name another "
            "database in stream.store, or restore a backup with 'riverrun store restore'"
        )
    return int(value)


def _misfit(found: int, engine: Engine) -> StoreVersionError:
    if found > SCHEMA_VERSION:
        return StoreVersionError(
            f"store {shown(engine)} has tables of version {found}, and this riverrun knows "
            f"{SCHEMA_VERSION} at most: a newer riverrun has upgraded it. Nothing was changed; "
            "install that riverrun, or restore a backup from before with 'riverrun store restore'"
        )
    return StoreVersionError(
        f"store {shown(engine)} has tables of version {found}, this riverrun needs "
        f"{SCHEMA_VERSION}. Nothing was changed; stop the older riverruns, take a backup "
        "('riverrun store backup FILE') and run 'riverrun store upgrade'"
    )
