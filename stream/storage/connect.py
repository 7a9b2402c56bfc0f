"""Connecting to the store's database: SQLite in WAL by default, PostgreSQL by its URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from stream.errors import ConfigError, Problem, StoreReplacedError, StoreUnreachableError
from stream.redact import without_secrets
from stream.sqlite_wal import use_wal

_BUSY_SECONDS = 10
_SERVER: dict[str, Any] = {
    "connect_timeout": _BUSY_SECONDS,
    # A server whose machine is gone never says so: without these, a commit waits for hours.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 1000 * _BUSY_SECONDS,
}
_FILE = "riverrun_file"
_SESSION = (
    f"-c lock_timeout={_BUSY_SECONDS}s -c idle_in_transaction_session_timeout=60s"
    # As in _SERVER, from the other side: a client whose machine is gone keeps its locks no longer.
    " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
    f" -c tcp_user_timeout={_BUSY_SECONDS}s"
)
"""Nobody waits for a lock longer than on SQLite, and who is frozen in a transaction loses it."""
_FEW = 1_000
"""Rows of a checkpoint; a restore, which nobody waits for, writes more at once."""


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
        engine = create_engine(parsed, **_options(parsed))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        allowed = (
            "use sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE "
            f"(the latter needs the extra 'postgres'): {error}"
        )
        raise ConfigError(
            "store", [Problem("stream.store", without_secrets(url), without_secrets(allowed))]
        ) from None
    if engine.dialect.name == "postgresql":
        _prepare_server(engine)
    else:
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
    return without_secrets(engine.url.render_as_string(hide_password=True))


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Raise the database's own errors as ``StoreUnreachableError``."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        text = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        raise StoreUnreachableError(f"store {shown(engine)}: {text}. {_advice(text)}") from error


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


def _options(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": _BUSY_SECONDS}}
    own = {name: value for name, value in _SERVER.items() if name not in url.query}
    # Later settings count: what stands in the URL is somebody's will.
    told = url.query.get("options", "")
    own["options"] = f"{_SESSION} {told if isinstance(told, str) else ' '.join(told)}".strip()
    return {"pool_pre_ping": True, "connect_args": own}


def _prepare_server(engine: Engine) -> None:
    """Send the rows of a checkpoint one after another.

    psycopg would send them as a pipeline, and in the midst of one the server does not count a
    client as idle: one that froze there would keep its locks for ever.
    """

    @event.listens_for(engine, "do_executemany")
    def on_many(cursor: Any, statement: str, rows: Sequence[Any], _context: Any) -> bool:
        if len(rows) > _FEW:
            return False
        for row in rows:
            cursor.execute(statement, row)
        return True


def _prepare_sqlite(engine: Engine) -> None:
    """Let SQLAlchemy, not the driver, begin transactions, and take the write lock at once.

    A transaction that reads first and writes later cannot wait for another writer in SQLite: it
    fails. Those that are going to write say so when they begin.
    """
    path = engine.url.database or ""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        record.info[_FILE] = _identity(path)
        connection.isolation_level = None
        use_wal(connection, _BUSY_SECONDS)
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        if connection.info.get(_FILE) != (now := _identity(path)):
            # Whoever goes on asks the file that is there now; none is made where one was deleted.
            if now is not None:
                connection.invalidate()
            raise StoreReplacedError(shown(engine), is_gone=now is None)
        write = connection.get_execution_options().get("riverrun_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _identity(path: str) -> tuple[int, int] | None:
    """Return which file stands at a path; None for none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _advice(text: str) -> str:
    lowered = text.lower()
    if "malformed" in lowered or "disk i/o error" in lowered or "no such table" in lowered:
        return (
            "The file is damaged: move it away, and restore a backup ('riverrun store restore "
            "FILE') or let the worker learn anew from the log"
        )
    if "not a database" in lowered:
        return "The file is something else; name another one in stream.store"
    if "full" in lowered:
        what = "Free some space on the disk and start again"
    elif "locked" in lowered:
        what = f"Another process held it for more than {_BUSY_SECONDS} s"
    elif "readonly" in lowered or "unable to open" in lowered or "permission" in lowered:
        what = "Check that the file and its folder can be written"
    else:
        what = "Check stream.store, and that the database runs"
    return f"{what}; nothing was lost: the last checkpoint stands"
