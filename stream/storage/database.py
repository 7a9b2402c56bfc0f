"""Opening a store: connected, and with the tables of this riverrun."""

from __future__ import annotations

from sqlalchemy import Engine

from stream.errors import StoreError
from stream.storage.connect import connect, reading, shown, translated, writing
from stream.storage.schema import prepare

__all__ = ["open_database", "reading", "shown", "translated", "writing"]


def open_database(url: str) -> Engine:
    """Connect to a store, create its tables where there are none, and upgrade those of SQLite.

    Parameters
    ----------
    url
        ``sqlite:///FILE`` or ``postgresql+psycopg://USER:PASSWORD@HOST/DATABASE``.

    Raises
    ------
    ConfigError
        When the URL names no database that riverrun knows.
    StoreUnreachableError
        When it cannot be opened or written.
    StoreVersionError
        When it has newer tables, or older ones on a server.
    """
    engine = connect(url)
    try:
        prepare(engine)
    except StoreError:
        engine.dispose()
        raise
    return engine
