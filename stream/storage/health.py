"""How a store's database is: its size, and its clock."""

from __future__ import annotations

from sqlalchemy import Engine, text

from stream.storage.database import reading


def size_bytes(engine: Engine) -> int:
    """Return the bytes that the database takes on its disk.

    Raises
    ------
    StoreUnreachableError
    """
    sizes = {
        "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        "postgresql": "SELECT pg_database_size(current_database())",
    }
    with reading(engine) as connection:
        return int(connection.execute(text(sizes[engine.dialect.name])).scalar_one())


def database_time(engine: Engine) -> float | None:
    """Return the database server's clock in seconds since the epoch; None where it has none.

    Raises
    ------
    StoreUnreachableError
    """
    if engine.dialect.name != "postgresql":
        return None
    with reading(engine) as connection:
        query = text("SELECT extract(epoch FROM clock_timestamp())")
        return float(connection.execute(query).scalar_one())
