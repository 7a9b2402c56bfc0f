"""Connecting to the store's database: SQLite in WAL by default, PostgreSQL by its URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from stream.errors import ConfigError, Problem, StoreUnreachableError
from stream.sqlite_wal import use_wal

_BUSY_SECONDS = 10


def connect(url: str) -> Engine:
    """Return the engine of a store's database, whatever tables it has.

    Parameters
    ----------
    url
        ``sqlite:///FILE`` or ``postgresql+psycopg://USER:PASSWORD@HOST/DATABASE``.

    Raises
    ------
    ConfigError
        When the URL names no database that riverrun knows.
    StoreUnreachableError
        When the folder of its file does not exist.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError(f"{parsed.get_backend_name()} is not supported")
        engine = create_engine(parsed, **_options(parsed.get_backend_name()))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        allowed = (
            "use sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE "
            f"(the latter needs the extra 'postgres'): {error}"
        )
        raise ConfigError("store", [Problem("stream.store", url, allowed)]) from None
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
        folder = Path(parsed.database or ".").parent
        if not folder.is_dir():
            raise StoreUnreachableError(
                f"store {shown(engine)}: the folder {str(folder)!r} does not exist; create it, or "
                "change stream.store"
            )
    return engine


def shown(engine: Engine) -> str:
    """Return the database's URL without its password."""
    return engine.url.render_as_string(hide_password=True)


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Raise the database's own errors as ``StoreUnreachableError``."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        text = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        raise StoreUnreachableError(
            f"store {shown(engine)}: {text}. {_advice(text)}; nothing was lost: the last "
            "checkpoint stands"
        ) from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes: all of it is committed, or nothing."""
    with translated(engine), engine.execution_options(riverrun_write=True).begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads, from one consistent state."""
    with translated(engine), engine.begin() as connection:
        yield connection


def _options(backend: str) -> dict[str, Any]:
    if backend == "sqlite":
        return {"connect_args": {"timeout": _BUSY_SECONDS}}
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": _BUSY_SECONDS}}


def _prepare_sqlite(engine: Engine) -> None:
    """Let SQLAlchemy, not the driver, begin transactions, and take the write lock at once.

    A transaction that reads first and writes later cannot wait for another writer in SQLite: it
    fails. Those that are going to write say so when they begin.
    """

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        use_wal(connection, _BUSY_SECONDS)
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("riverrun_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _advice(text: str) -> str:
    lowered = text.lower()
    if "full" in lowered:
        return "Free some space on the disk and start again"
    if "locked" in lowered:
        return f"Another process held it for more than {_BUSY_SECONDS} s"
    if "readonly" in lowered or "unable to open" in lowered or "permission" in lowered:
        return "Check that the file and its folder can be written"
    if "not a database" in lowered:
        return "The file is something else; name another one in stream.store"
    return "Check stream.store, and that the database runs"
